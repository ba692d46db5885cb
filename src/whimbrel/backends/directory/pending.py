"""Edits that the index knows and the text of `users.cfg` does not: in memory, one for each node that changed.

While a new file is being written, the edits in it are `frozen`; those that come meanwhile are `fresh` and are meant
for the file that is being written, so its nodes count as placed. If the write fails, both are one again.
"""

from dataclasses import replace

from whimbrel.backends.directory.splices import Edit


class Pending:
    def __init__(self) -> None:
        self._frozen: dict[int, Edit] = {}
        self._fresh: dict[int, Edit] = {}

    def __bool__(self) -> bool:
        return bool(self._fresh or self._frozen)

    def get(self, node: int) -> Edit | None:
        return self._fresh.get(node) or self._frozen.get(node)

    def fresh(self, node: int) -> Edit | None:
        return self._fresh.get(node)

    def set(self, edit: Edit) -> None:
        self._fresh[edit.node] = edit

    def forget(self, node: int) -> None:
        """Takes back a `set`."""
        self._fresh.pop(node, None)

    @property
    def edits(self) -> list[Edit]:
        """Those that no write has taken."""
        return list(self._fresh.values())

    @property
    def highest(self) -> int:
        """A node that is gone keeps its number until the file no longer has it."""
        return max(max(self._fresh, default=0), max(self._frozen, default=0))

    def copy(self) -> dict[int, Edit]:
        return dict(self._fresh)

    def restore(self, copy: dict[int, Edit]) -> None:
        self._fresh = copy

    def freeze(self) -> list[Edit]:
        """The edits for the next file. `written` or `thaw` follows."""
        self._frozen, self._fresh = self._fresh, {}
        return list(self._frozen.values())

    def written(self) -> None:
        self._frozen = {}

    def thaw(self) -> None:
        """The file was not written after all: what was meant to stand behind a new node stands where that would."""
        for node, edit in self._fresh.items():
            before = self._frozen.get(edit.after or node)
            if before is not None and before.after:
                self._fresh[node] = replace(edit, after=before.after)
        self._frozen, self._fresh = {}, {**self._frozen, **self._fresh}

    def clear(self) -> None:
        self._frozen, self._fresh = {}, {}
