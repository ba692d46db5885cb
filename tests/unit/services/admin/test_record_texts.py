"""What people write into records can be seen as it is, and has a bound; what stood in the file before still loads."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.core.record import Field
from whimbrel.core.values import Secret
from whimbrel.core.visible import refuse_hidden
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.people.records import RECORDS

HIDDEN = (
    "\u202e",
    "\u2066",
    "\u200b",
    "\u200f",
    "\ufeff",
    "\u00ad",
    "\u061c",
    "\U000e0041",
    "\u3164",
    "\u2028",
    "\x00",
    "\x9b",
)
EVERY = [(record.kind.value, field) for record in RECORDS for field in record.fields]
IDS = [f"{kind} {field.element}" for kind, field in EVERY]


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


@pytest.mark.parametrize(("kind", "field"), EVERY, ids=IDS)
def test_no_text_of_any_record_takes_what_nobody_sees(kind: str, field: Field) -> None:
    for hidden in HIDDEN:
        value: object = (f"a{hidden}b",) if field.many else f"a{hidden}b"
        if field.kind is Secret:
            continue
        with pytest.raises(ValueError, match="nobody sees"):
            field.check_text(value)


@pytest.mark.parametrize(("kind", "field"), EVERY, ids=IDS)
def test_every_free_text_has_a_bound(kind: str, field: Field) -> None:
    if not field.free_text:
        return
    longest = 255 if field.element == "full-name" else 1000
    field.check_text("x" * longest)
    with pytest.raises(ValueError, match=f"at most {longest}"):
        field.check_text("x" * (longest + 1))


@pytest.mark.parametrize("name", ["Zoë Müller", "محمد", "日本太郎", "می\u200cخواهم", "👩\u200d💻 Ada", "O'Neil, Jr."])
def test_names_of_all_scripts_are_taken(name: str, office: Office) -> None:
    refuse_hidden(name)
    office.do("user set", name="alice", full_name=name)
    assert office.do("user show", name="alice").full_name == name


@pytest.mark.parametrize(
    ("call", "values"),
    [
        ("user add", {"name": "c@example.org", "full_name": "a\u202eb"}),
        ("user add", {"name": "c\u200bd@example.org"}),
        ("user set", {"name": "alice", "description": "x" * 1001}),
        ("domain set", {"name": "example.org", "description": "a\u2066b"}),
        ("alias add", {"name": "i@example.org", "to": ["alice"], "description": "a\ufeffb"}),
        ("group add", {"name": "g@example.org", "description": "x" * 5000}),
        ("user import", {"file": "address,name\nc@example.org,a\u202eb\n"}),
        ("user import", {"file": f"address,name\nc@example.org,{'x' * 256}\n"}),
    ],
)
def test_whatever_way_it_comes_nothing_is_changed(call: str, values: dict[str, object], office: Office) -> None:
    before = office.users
    with pytest.raises(CallError, match=r"nobody sees|at most"):
        office.do(call, **values)
    assert office.users == before


def test_a_file_from_before_still_loads_and_config_check_tells(office: Office) -> None:
    path = office.folder / "users.cfg"
    path.write_text(path.read_text().replace("Alice Adams", f"Alice\u202e{'x' * 300}"))
    assert office.do("user show", name="alice").full_name.startswith("Alice")
    (problem,) = asyncio.run(_doubts(office))
    assert problem.startswith("user alice@example.org: full-name holds a character that nobody sees (U+202E")


async def _doubts(office: Office) -> list[str]:
    from whimbrel.services.admin.people.record_doubts import record_doubts

    return await record_doubts(office.context())


TAKEN = "mail to alice+x@example.org goes to the record of that name, and not to alice@example.org with the tag 'x'"


@pytest.mark.parametrize(
    ("call", "values"),
    [
        ("user add", {"name": "alice+x@example.org"}),
        ("alias add", {"name": "alice+x@example.org", "to": ["bob@other.test"]}),
        ("group add", {"name": "alice+x@example.org", "member": ["bob@other.test"]}),
        ("user add", {"name": "carol@example.org", "alias": ["alice+x"]}),
        ("user import", {"file": "address\nalice+x@example.org\n"}),
    ],
)
def test_a_name_that_is_a_tag_of_another_says_which_of_them_has_the_mail(
    call: str, values: dict[str, object], office: Office
) -> None:
    office.do(call, **values)
    assert any(text.startswith(TAKEN) for text in office.warnings)
    (problem,) = asyncio.run(_doubts(office))
    assert problem.startswith(TAKEN)
    assert office.do("alias check", address="alice+x@example.org").mailboxes != ("alice@example.org",)


def test_nothing_is_said_of_a_plus_that_is_nobodys_tag(office: Office) -> None:
    office.do("user add", name="nobody+x@example.org")
    assert not any("tag" in text for text in office.warnings)
    office.do("config set", path="routing/plus-addressing", value=["no"])
    office.do("user add", name="alice+x@example.org")
    assert not any("tag" in text for text in office.warnings)
    assert asyncio.run(_doubts(office)) == []


HIDES = "ann\u202ea"


@pytest.mark.parametrize(
    ("call", "arguments", "where"),
    [
        ("user rename", {"name": "alice", "new": HIDES}, "new"),
        ("user set", {"name": "alice", "alias": ["a.b", HIDES]}, "alias"),
        ("user add", {"name": HIDES}, "name"),
        ("user import", {"file": f"address,name\n{HIDES}@example.org,Ann\n"}, ""),
        ("user import", {"file": f"address,aliases\nann@example.org,{HIDES}\n"}, ""),
    ],
)
def test_no_way_to_a_name_takes_what_nobody_sees(
    tmp_path: Path, call: str, arguments: dict[str, Any], where: str
) -> None:
    office = Office(tmp_path)
    with pytest.raises(CallError, match="nobody sees") as caught:
        office.do(call, **arguments)
    assert not where or caught.value.fields[0].name == where


@pytest.mark.parametrize(
    ("call", "arguments"),
    [
        ("user rename", {"name": "bob@other.test", "new": "alice+news@example.org"}),
        ("user set", {"name": "alice", "alias": ["alice+news"]}),
        ("user import", {"file": "address\nalice+news@example.org\n"}),
        ("user import", {"file": "address,aliases\nalice@example.org,alice+news\n", "update": True}),
    ],
)
def test_every_way_to_a_name_says_that_it_looks_like_a_tag(
    tmp_path: Path, call: str, arguments: dict[str, Any]
) -> None:
    office = Office(tmp_path)
    office.do(call, **arguments)
    assert any("with the tag 'news'" in warning for warning in office.warnings)
