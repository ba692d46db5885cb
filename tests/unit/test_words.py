"""Names that say nothing, or speak a dialect of our own, become fewer: each word has a limit that can only fall."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SRC = Path(__file__).resolve().parents[2] / "src" / "whimbrel"
LIMITS = {
    "bury": 0,
    "buried": 0,
    "care": 0,
    "circle": 0,
    "found": 11,
    "grave": 0,
    "graves": 0,
    "met": 0,
    "odd": 1,
    "one": 5,
    "proven": 0,
    "retire": 1,
    "retirer": 0,
    "settle": 0,
    "settled": 1,
    "settles": 0,
    "shelf": 0,
    "speak": 1,
    "speaks": 0,
    "standing": 0,
    "stranger": 0,
    "strangers": 0,
    "told": 5,
    "unbury": 0,
}
"""How often each word is, or is a part of, the name of something. Never raise one."""

_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|[0-9]+")


def declared(tree: ast.Module) -> Iterator[tuple[str, int]]:
    """Each name that a module gives, and its line: variables, parameters, functions, classes, attributes, imports."""
    for node in ast.walk(tree):
        match node:
            case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()) | ast.arg(arg=name):
                yield name, node.lineno
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                yield name, node.lineno
            case ast.alias(asname=str(name)) | ast.ExceptHandler(name=str(name)):
                yield name, node.lineno
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)) | ast.MatchMapping(rest=str(name)):
                yield name, node.lineno


def parts(name: str) -> list[str]:
    """`_found_uids` and `FoundUids` are found, uids."""
    return [part.lower() for part in _PART.findall(name)]


def places(word: str, trees: dict[str, ast.Module]) -> list[str]:
    """Where a name has `word` in it; the name of a module counts as one in its first line."""
    return [
        f"{module}:{line}: {name}"
        for module, tree in trees.items()
        for name, line in ((Path(module).stem, 1), *declared(tree))
        for part in parts(name)
        if part == word
    ]


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return {str(path.relative_to(SRC)): ast.parse(path.read_text()) for path in sorted(SRC.rglob("*.py"))}


@pytest.mark.parametrize(("word", "limit"), LIMITS.items())
def test_a_word_is_in_no_more_names_than_before(word: str, limit: int, trees: dict[str, ast.Module]) -> None:
    names = places(word, trees)
    assert len(names) <= limit, f"{word!r}: say it in the field's words, in one of\n" + "\n".join(names)
    assert len(names) >= limit, f"{word!r}: lower the limit to {len(names)}"


SAMPLE = """
import json as found
class FoundRow:
    def _found(self, found_rows, *, found=1, **more_found):
        self.found: int = 1
        for found in self.found: pass
        with self as (found, other): pass
        try: pass
        except ValueError as found: pass
        match found:
            case [found, *found]: pass
            case {"a": 1, **found}: pass
            case int() as found: pass
        return [found for found in foundation(found.found, found="found")], (found := 2)
"""


def test_every_way_to_give_a_name_is_counted_and_no_use_of_one() -> None:
    names = [name for name, _ in declared(ast.parse(SAMPLE)) if "found" in parts(name)]
    assert Counter(names) == {"found": 12, "FoundRow": 1, "_found": 1, "found_rows": 1, "more_found": 1}
    assert places("found", {"a/found_rows.py": ast.parse("")}) == ["a/found_rows.py:1: found_rows"]
    assert parts("_founderXFoundHTTPOdd2") == ["founder", "x", "found", "http", "odd", "2"]
