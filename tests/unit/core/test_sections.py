"""What one declaration of a setting gives."""

import pytest
from pydantic import ValidationError

from whimbrel.core.settings import Section, default_of, element_name, list_of, required, section_of, setting, xml_name
from whimbrel.core.values import Duration, Size


class Inner(Section, tag="relay", key="domain"):
    """One entry of a list."""

    domain: str = required(help="Which domain.")
    port: int = setting(25, minimum=1, maximum=65535, help="Port.")


class Outer(Section, tag="outer"):
    """A section with all kinds of fields."""

    max_size: Size = setting(Size("50M"), minimum=Size("1M"), help="Size.", applies="restart", row="S1")
    wait_for: Duration = setting(Duration("5m"), maximum=Duration("1h"), help="Time.", advanced=True)
    names: tuple[str, ...] = setting(("a",), help="Names.", item="name")
    relays: tuple[Inner, ...] = setting((), help="Relays.")
    inner: Inner = setting(Inner(domain="x"), help="One.")
    word: str = setting("abc", help="Word.", pattern="^[a-z]+$", like="a word in small letters")


def test_the_default_is_what_was_declared() -> None:
    outer = Outer()
    assert (outer.max_size, outer.wait_for, outer.names) == (50 << 20, 300, ("a",))
    assert default_of(Outer.model_fields["word"]) == "abc"
    assert default_of(Inner.model_fields["domain"]) is None


def test_sections_are_frozen_and_know_all_their_fields() -> None:
    outer = Outer()
    with pytest.raises(ValidationError):
        outer.word = "x"  # type: ignore[misc]
    with pytest.raises(ValidationError):
        Outer(nonsense=1)  # type: ignore[call-arg]
    with pytest.raises(ValidationError):
        Inner()  # The key must be given.


@pytest.mark.parametrize(
    ("field", "bad", "good"),
    [
        ("max_size", "1K", "1M"),
        ("wait_for", "2h", "1h"),
        ("word", "A1", "z"),
        ("max_size", "big", Size("2M")),
        ("inner", {"domain": "x", "port": 0}, {"domain": "x", "port": 65535}),
        ("inner", {"domain": "x", "port": 65536}, {"domain": "x"}),
    ],
)
def test_bounds_hold_for_what_is_given(field: str, bad: object, good: object) -> None:
    with pytest.raises(ValidationError):
        Outer.model_validate({field: bad})
    Outer.model_validate({field: good})


def test_a_bound_is_told_in_the_form_of_the_value() -> None:
    with pytest.raises(ValidationError, match="below the minimum of 1M"):
        Outer.model_validate({"max_size": "1K"})
    with pytest.raises(ValidationError, match="above the maximum of 1h"):
        Outer.model_validate({"wait_for": "2h"})


def test_xml_names_are_those_of_the_fields_with_hyphens() -> None:
    assert Outer.elements() == {
        "max-size": "max_size",
        "wait-for": "wait_for",
        "name": "names",
        "relay": "relays",  # A list of sections has the tag of its entries.
        "inner": "inner",
        "word": "word",
    }
    assert Outer.field_for("max-size") == "max_size"
    assert Outer.field_for("max_size") is None
    assert "domain" not in Inner.elements().values()  # The key is an attribute.
    assert xml_name("a_b_c") == "a-b-c"
    assert element_name(Outer, "relays") == "relay" and element_name(Outer, "names") == "name"


def test_fields_tell_lists_from_sections() -> None:
    fields = Outer.model_fields
    assert list_of(fields["names"]) is str and list_of(fields["relays"]) is Inner and list_of(fields["word"]) is None
    assert section_of(fields["inner"]) is Inner and section_of(fields["relays"]) is None


def test_the_schema_tells_what_the_console_needs() -> None:
    schema = Outer.model_json_schema()["properties"]
    assert schema["max_size"]["x-applies"] == "restart" and schema["max_size"]["x-mission"] == "S1"
    assert schema["max_size"]["minimum"] == 1 << 20
    assert schema["wait_for"]["x-advanced"] is True and schema["word"]["x-applies"] == "now"
    assert schema["max_size"]["description"] == "Size." and schema["word"]["pattern"] == "^[a-z]+$"


def test_tags_and_keys_are_of_each_class() -> None:
    assert (Outer.tag, Outer.key, Inner.tag, Inner.key) == ("outer", "", "relay", "domain")

    class Special(Inner, tag="special"):
        """Keeps the key of its base."""

    assert (Special.tag, Special.key) == ("special", "domain")
