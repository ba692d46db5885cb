"""The answers so far, for a page that is loaded anew and for a second browser. In memory alone: nothing is written
before the last step, and what was typed is gone with the process.

Passwords and files (private keys, tables with passwords) are kept and never sent back: a page hears that they are
there, and may leave them out of its answers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from whimbrel.services.setup.field import Field, Kind, given
from whimbrel.services.setup.step import Step

_WITHHELD: Final = frozenset({Kind.SECRET, Kind.FILE})


class Outdated(Exception):
    """Another browser has changed the answers meanwhile."""


@dataclass(frozen=True, slots=True)
class Kept:
    """What a page is shown of a draft."""

    answers: Mapping[str, object]
    withheld: tuple[str, ...]
    """Names of fields that have an answer which is not shown."""
    at: str
    """The step that was reached."""
    revision: int
    """How often it was changed; 0: there is none."""


class Draft:
    """One for all sessions: whoever has the code sets up the same server."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._withheld: list[Field] = [each for step in steps for each in step.fields if each.kind in _WITHHELD]
        self._steps = frozenset(step.name for step in steps)
        self._tree: Mapping[str, object] = {}
        self._at, self._revision = "", 0

    def shown(self) -> Kept:
        tree, withheld = self._tree, []
        for field in self._withheld:
            if given(tree, field.name):
                tree = _without(tree, field.name)
                withheld.append(field.name)
        return Kept(tree, tuple(withheld), self._at, self._revision)

    def keep(self, tree: Mapping[str, object], at: str, revision: int) -> int:
        """The new revision. Outdated, unless `revision` is that of the draft which was changed."""
        if revision != self._revision:
            raise Outdated
        self._tree, self._at = self.whole(tree), at if at in self._steps else self._at
        self._revision += 1
        return self._revision

    def whole(self, tree: Mapping[str, object]) -> Mapping[str, object]:
        """With what is withheld, where the page said nothing else of it."""
        for field in self._withheld:
            kept = given(self._tree, field.name)
            if kept and given(tree, field.name) is None:
                tree = _with(tree, field.name, kept)
        return tree

    def forget(self) -> None:
        """It was applied."""
        self._tree = {}


def _with(tree: Mapping[str, object], name: str, value: object) -> Mapping[str, object]:
    table, dot, last = name.rpartition(".")
    if not dot:
        return {**tree, name: value}
    inner = tree.get(table, {})
    # What is no table is refused as it is.
    return {**tree, table: {**inner, last: value}} if isinstance(inner, Mapping) else tree


def _without(tree: Mapping[str, object], name: str) -> Mapping[str, object]:
    table, dot, last = name.rpartition(".")
    if not dot:
        return {key: value for key, value in tree.items() if key != name}
    inner: Any = tree[table]
    return {**tree, table: {key: value for key, value in inner.items() if key != last}}
