"""Records are made of parts that rooms declare: what a field says of itself, and how a part is read."""

import subprocess
import sys
from dataclasses import dataclass

import pytest

from whimbrel.core.directory import Rights
from whimbrel.core.people import Access, Forwarding, Person
from whimbrel.core.record import NO_RECORD, Kind, Part, Record, RecordType, fields_of, value
from whimbrel.core.values import Size
from whimbrel.services.admin.people.records import RECORDS, USER


@dataclass(frozen=True, slots=True)
class Sample(Part):
    """A part of every shape."""

    size: Size = value(Size(0), help="A size.")
    limit: float | None = value(None, help="Not set unless it is.", minimum=0)
    names: tuple[str, ...] = value((), element="name", option="name", help="Several.")
    on: bool = value(True, help="Yes or no.")
    right: Rights = value(Rights.NONE, help="A choice.")


def test_a_field_tells_what_it_is() -> None:
    size, limit, names, on, right = fields_of(Sample)
    assert (size.kind, size.many, size.optional, size.element) == (Size, False, False, "size")
    assert (limit.kind, limit.optional, limit.default) == (float, True, None)
    assert (names.kind, names.many, names.element, names.parameter) == (str, True, "name", "name")
    assert (on.kind, on.default) == (bool, True)
    assert right.choices == ("none", "domain", "server-read", "server-write")


def test_a_part_is_read_from_what_stands_in_the_file() -> None:
    texts = {"size": "5G", "limit": "2.5", "name": ("a", "b"), "on": "no", "right": "domain"}
    assert Record(texts).part(Sample) == Sample(Size("5G"), 2.5, ("a", "b"), False, Rights.DOMAIN)
    assert NO_RECORD.part(Sample) == Sample()
    assert Record({"name": "alone"}).part(Sample).names == ("alone",)


def test_a_part_is_read_once() -> None:
    record = Record({"size": "1K"})
    assert record.part(Sample) is record.part(Sample)


def test_records_are_equal_by_their_values_however_they_were_made() -> None:
    read, other = Record({"full-name": "A"}), Record({"full-name": "A"})
    read.part(Person)
    assert read == other
    assert Record(None, Forwarding(("a@b.example",))) != Record()


def test_a_record_shows_no_value_by_accident() -> None:
    assert "secret" not in repr(Record({"password": "secret"}))


def test_two_parts_cannot_declare_the_same_name() -> None:
    @dataclass(frozen=True, slots=True)
    class Clash(Part):
        """Somebody else has that name."""

        full_name: str = value("", help="Taken.")

    with pytest.raises(ValueError, match="full_name"):
        USER.with_part(Clash)


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.kind)
def test_every_field_explains_itself(record: RecordType) -> None:
    for field in record.fields:
        assert field.declared.help.endswith((".", ")")), field.name
        assert field.part.__doc__
    assert {each.kind for each in RECORDS} == set(Kind)


def test_what_is_declared_is_light_enough_for_the_command_line() -> None:
    code = "import sys, whimbrel.services.admin.people.records; sys.exit('pydantic.main' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_only_addresses_are_declared_as_such() -> None:
    """They follow a rename: a description never does."""
    addresses = {field.element for record in RECORDS for field in record.fields if field.declared.address}
    assert addresses == {"forward-to", "to", "member", "catch-all", "group"}
    assert not {field.element for field in fields_of(Access)} & addresses
