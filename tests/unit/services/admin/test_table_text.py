"""CSV as people save it: any separator, any encoding of Excel's, hostile or broken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.services.admin.people.table_text import MAX_CELL, MAX_COLUMNS, decoded, defused, folded, read_rows

HEADINGS = {"address": "address", "e mail": "address", "name": "name", "password": "password", "quota": "quota"}


def key(meanings: set[str]) -> bool:
    return "address" in meanings


STANDARD = ("address", "password", "name")


def rows(text: str) -> list[dict[str, str]]:
    table = read_rows(text, HEADINGS, key, STANDARD)
    assert not table.faults, table.faults
    return [dict(row.cells) for row in table.rows]


def faults(text: str) -> list[tuple[int, str]]:
    return read_rows(text, HEADINGS, key, STANDARD).faults


@pytest.mark.parametrize(
    "text",
    [
        "address,name\na@b.test,Müller\n",
        "Name;Address\r\nMüller;a@b.test\r\n",
        "NAME\tE-Mail\nMüller\ta@b.test",
        'sep=;\n"Address";"Name"\n"a@b.test";"Müller"\n',
        "# ours\n\nE-Mail [Required],Name\n\na@b.test,Müller,,,\n",
        'address;name\n"a@b.test";"Müller"',
    ],
)
@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
def test_a_table_is_read_however_it_was_saved(text: str, codec: str) -> None:
    assert rows(decoded(text.encode(codec))) == [{"address": "a@b.test", "name": "Müller"}]


def test_without_a_heading_the_columns_are_the_standard_ones() -> None:
    assert rows("a@b.test,geheim,Anna\nerin\n") == [
        {"address": "a@b.test", "password": "geheim", "name": "Anna"}, {"address": "erin"},
    ]  # fmt: skip


@pytest.mark.parametrize("first", ["foo,bar,baz", "username", "Users of 2026", "erin", "=1+1,x"])
def test_a_first_line_that_is_neither_user_nor_heading_is_refused(first: str) -> None:
    ((line, text),) = faults(f"{first}\na@b.test,x,y\n")
    assert (line, text.startswith("is neither a user nor a heading")) == (1, True)


def test_a_heading_must_say_where_the_address_is() -> None:
    assert faults("name,quota\nAnna,1G\n") == [
        (1, "names no column for the address, such as address, or username and domain")
    ]


def test_headings_that_are_nearly_right_are_told_and_others_are_left_aside() -> None:
    table = read_rows("address,pasword,Job title\na@b.test,x,Cook\n", HEADINGS, key, STANDARD)
    assert table.faults == [(1, "unknown column 'pasword'; did you mean 'password'?")]
    assert table.ignored == ["Job title"]


def test_two_columns_of_one_meaning_are_refused() -> None:
    assert faults("address,e-mail\na@b.test,c@d.test\n") == [(1, "columns that mean the same: address, e-mail")]


def test_all_that_is_wrong_is_told_in_one_round_with_the_line_where_it_begins() -> None:
    text = 'address,name\na@b.test,"x" y\nb@b.test,ok\nc@b.test,"a\nb"\nd@b.test,x,more\ne@b.test,\x00\n'
    assert [line for line, _ in faults(text)] == [2, 4, 6, 7]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("a@b.test," + "x" * (MAX_CELL + 1), f"a cell of more than {MAX_CELL} characters"),
        ("," * (MAX_COLUMNS + 1), f"more than {MAX_COLUMNS} columns"),
        ("a@b.test,x\x00y", "control characters"),
        ("a@b.test,x\u2028y", "control characters"),
        ('a@b.test,"x', "is not CSV"),
        ("a@b.test," + "x" * 200_000, "is not CSV"),
    ],
)
def test_what_is_hostile_is_bounded(line: str, words: str) -> None:
    ((number, text),) = faults(f"address,name\n{line}\n")
    assert number == 2 and words in text


@given(st.binary(max_size=300))
def test_no_bytes_raise_anything(data: bytes) -> None:
    read_rows(decoded(data), HEADINGS, key, STANDARD)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs", "Zl", "Zp")), max_size=20))
def test_a_cell_that_was_defused_comes_back_as_it_was(cell: str) -> None:
    written = defused(cell)
    assert not written.startswith(("=", "+", "-", "@"))
    quoted = written.replace('"', '""')
    (row,) = rows(f'address,name\na@b.test,"{quoted}"\n')
    assert row["name"] == cell


def test_headings_are_compared_without_what_differs_by_taste() -> None:
    assert folded("E-Mail_Address [Required]") == "e mail address"
    assert folded("Quota (MB)") == "quota mb"
