"""What the server says is taken out of the sources whole, and each language of the console has it."""

import ast
import re
from pathlib import Path

import pytest

from whimbrel.app import docs, texts

KNOWN = texts.translations(docs.CATALOG.read_text("utf-8"))


def of(source: str) -> list[str]:
    return list(texts.sentences(ast.parse(source)))


def test_each_text_of_the_server_is_translated() -> None:
    assert [text for text, said in KNOWN.items() if not said] == [], f"translate them in {docs.CATALOG.name}"


def test_a_translation_has_the_values_of_its_text() -> None:
    lost = [text for text, said in KNOWN.items() if texts.places(text) != texts.places(said)]
    assert lost == []


def test_a_translation_begins_and_ends_as_its_text_does() -> None:
    """What is hung on a sentence brings the blank before it; a sentence has its full stop."""
    other = [
        text
        for text, said in KNOWN.items()
        if (text[0] == " ", text[-1] == " ", text[-1] == ".") != (said[0] == " ", said[-1] == " ", said[-1] == ".")
    ]
    assert other == []


def test_commands_and_paths_of_a_text_are_in_its_translation() -> None:
    """What is typed as it stands there: the command line speaks English."""
    pattern = re.compile(r"`(whimbrel [a-z-]+(?: [a-z-]+)?)|--[a-z-]+|\b[a-z]+\.(?:cfg|db|idx)\b")
    lost = [
        text
        for text, said in KNOWN.items()
        if sorted(m[0] for m in pattern.finditer(text)) != sorted(m[0] for m in pattern.finditer(said))
    ]
    assert lost == []


def test_every_room_is_there() -> None:
    package = docs.CATALOG.parents[5] / "src" / "whimbrel"
    assert [room for room in (*texts.ROOMS, *texts.ASIDE) if not (package / room).exists()] == []


def test_values_have_the_name_of_what_is_put_in() -> None:
    assert of('x = f"{octets(disk.free)} of {disk.total} are free"') == ["{free} of {total} are free"]
    assert of('x = f"{a.name} is {b.name}, it seems"') == ["{name} is {name2}, it seems"]


def test_a_sentence_with_two_forms_is_two_texts() -> None:
    source = "x = f\"{names} {'is' if len(names) == 1 else 'are'} gone now\""
    assert [text for text in of(source) if " " in text] == ["{names} is gone now", "{names} are gone now"]


def test_what_is_added_to_a_text_is_a_value() -> None:
    assert of('x = "it has no " + ", ".join(names)') == ["it has no {names}"]


def test_a_counted_thing_has_both_numbers() -> None:
    assert of('x = counted(n, "mail message")')[:2] == ["1 mail message", "{number} mail messages"]


@pytest.mark.parametrize(
    "source",
    [
        '"""A docstring of a module."""',
        'raise AssertionError("never comes here")',
        'self._log.info("some event", reason="this is why")',
        'x: Annotated[str, "Help of a parameter."]',
        'def f(x: "str | None" = None) -> "str | bytes": ...',
        'HEADINGS = ("e mail", "first name")',
        'x = "SELECT id FROM message"',
        '@call("user", help="Removes a user.")\ndef remove(): ...',
    ],
)
def test_what_no_administrator_reads_is_left_out(source: str) -> None:
    assert of(source) == []


def test_a_catalog_keeps_what_was_translated_and_forgets_what_is_gone(tmp_path: Path) -> None:
    before = texts.catalog(['say "yes"\nor no', "gone by now"], "")
    translated = before.replace('or no"\nmsgstr ""', 'or no"\nmsgstr "sag \\"ja\\""')
    after = texts.catalog(['say "yes"\nor no', "new here"], translated)
    assert texts.translations(after) == {'say "yes"\nor no': 'sag "ja"', "new here": ""}
