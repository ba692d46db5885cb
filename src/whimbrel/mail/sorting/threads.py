"""Messages gathered into threads.

Works on the rows of the index alone. No step is recursive: a thread may be as deep as a mailbox is large.

Standards: RFC 5256 3 (ORDEREDSUBJECT, REFERENCES), 4 (thread-data);
draft-ietf-morg-inthread 3.1 (REFS: REFERENCES without subjects, threads by their newest message)
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from whimbrel.core.rows import BASE_SUBJECT, IS_REPLY, REFERENCES, SORT_MESSAGE_ID, SORT_SENT, UID, SortRow
from whimbrel.mail.sorting.identifiers import normal

MAX_CLIMB = 1000
"""Steps up a thread in which a loop is looked for; a link that would need more is not made."""


class _Node:
    """A message, or a dummy for one that is not there (`row` None)."""

    __slots__ = ("children", "latest", "linked", "parent", "place", "row")

    def __init__(self, row: SortRow | None, place: int) -> None:
        self.row, self.place = row, place
        """`place`: of the message among all, which settles equal dates."""
        self.parent: _Node | None = None
        self.children: list[_Node] = []
        self.linked = False
        """Some other has had it as parent."""
        self.latest = (0, 0)

    @property
    def shown(self) -> SortRow | None:
        """The message, or of a dummy its first child: what stands for it in comparisons."""
        return self.row if self.row is not None or not self.children else self.children[0].row

    @property
    def when(self) -> tuple[int, int]:
        row, place = self.row, self.place
        if row is None and self.children:
            row, place = self.children[0].row, self.children[0].place
        return (row[SORT_SENT] if row else 0), place


class Threads:
    """A forest; `written` puts it on the wire."""

    def __init__(self, roots: Sequence[_Node]) -> None:
        self._roots = roots

    def written(self, names: Mapping[int, int]) -> bytes:
        """thread-list of RFC 5256 4. `names` says by which number each UID is called; a message without one (0) is
        left out, its children take its place."""
        out: list[str] = []
        for root in self._roots:
            _write(root, names, out)
        return "".join(out).encode("ascii")


def _write(root: _Node, names: Mapping[int, int], out: list[str]) -> None:
    stack: list[_Node | str] = [")", root, "("]
    while stack:
        item = stack.pop()
        if isinstance(item, str):
            out.append(item)
            continue
        number = names.get(item.row[UID], 0) if item.row is not None else 0
        if number:
            if out[-1] != "(":
                out.append(" ")
            out.append(str(number))
        children = item.children
        if len(children) == 1:
            stack.append(children[0])
        elif children:
            if number:
                out.append(" ")
            for child in reversed(children):
                stack += (")", child, "(")


def ordered_subject(rows: Sequence[SortRow]) -> Threads:
    """Equal base subjects are a thread: the first message, and all others as its children."""
    placed = sorted(enumerate(rows), key=lambda pair: (pair[1][BASE_SUBJECT], pair[1][SORT_SENT], pair[0]))
    roots: list[_Node] = []
    for _, group in groupby(placed, key=lambda pair: pair[1][BASE_SUBJECT]):
        first, *others = (_Node(row, place) for place, row in group)
        first.children = others
        roots.append(first)
    roots.sort(key=lambda node: node.when)
    return Threads(roots)


def references(rows: Sequence[SortRow]) -> Threads:
    """By References and In-Reply-To, then threads with equal base subjects are merged."""
    roots = _pruned(_linked(rows))
    for node in roots:
        if node.row is None:
            node.children.sort(key=lambda child: child.when)
    roots.sort(key=lambda node: node.when)
    roots = _merged(roots)
    _sort_below(roots)
    roots.sort(key=lambda node: node.when)
    return Threads(roots)


def refs(rows: Sequence[SortRow]) -> Threads:
    """By References and In-Reply-To alone; the thread with the newest message comes last."""
    roots = _pruned(_linked(rows))
    _sort_below(roots)
    for node in roots:
        node.latest = max((item.row[SORT_SENT], item.place) for item in _below(node) if item.row is not None)
    roots.sort(key=lambda node: node.latest)
    return Threads(roots)


def _linked(rows: Sequence[SortRow]) -> list[_Node]:
    """Step 1: all nodes, linked; those without a parent are roots."""
    known: dict[str, _Node] = {}
    nodes: list[_Node] = []
    messages: list[_Node] = []
    for place, row in enumerate(rows):
        # An id that is missing or was had before is as good as a new one.
        node = _Node(row, place)
        nodes.append(node)
        messages.append(node)
        if row[SORT_MESSAGE_ID]:
            known.setdefault(normal(row[SORT_MESSAGE_ID]), node)
    for node in messages:
        above: _Node | None = None
        for reference in normal(node.row[REFERENCES]).split() if node.row is not None else ():
            below = known.get(reference)
            if below is None:
                below = known[reference] = _Node(None, node.place)
                nodes.append(below)
            # (A): links that are there stay.
            if above is not None and below.parent is None and not _above(below, above):
                below.parent = above
                above.linked = True
            above = below
        # (B): what this message says of itself counts for more than what others say of it, so their link goes first,
        # also where its own is not made as it would close a loop.
        node.parent = None
        if above is not None and not _above(node, above):
            node.parent = above
            above.linked = True
    for node in nodes:
        if node.parent is not None:
            node.parent.children.append(node)
    return [node for node in nodes if node.parent is None]


def _above(node: _Node, other: _Node | None) -> bool:
    """`node` is `other` or above it: a link from `other` down to `node` would be a loop."""
    if not node.linked:
        return node is other
    for _ in range(MAX_CLIMB):
        if other is None or other is node:
            return other is not None
        other = other.parent
    return True


def _below(root: _Node) -> Iterable[_Node]:
    stack = [root]
    while stack:
        node = stack.pop()
        yield node
        stack += node.children


def _pruned(roots: Sequence[_Node]) -> list[_Node]:
    """Step 3: dummies go, their children move up; at the top only where there is no more than one child."""
    order = [node for root in roots for node in _below(root)]
    for node in reversed(order):  # Children before their parents.
        kept: list[_Node] = []
        for child in node.children:
            if child.row is None:
                kept += child.children
            else:
                kept.append(child)
        node.children = kept
    top: list[_Node] = []
    for root in roots:
        if root.row is None and len(root.children) < 2:
            top += root.children
        else:
            top.append(root)
    return top


def _merged(roots: Sequence[_Node]) -> list[_Node]:
    """Step 5: by base subject."""
    table: dict[str, _Node] = {}
    for node in roots:
        subject, reply = _subject(node)
        if not subject:
            continue
        there = table.get(subject)
        if (
            there is None
            or (node.row is None and there.row is not None)
            or (there.row is not None and _subject(there)[1] and not reply)
        ):
            table[subject] = node
    gone: set[int] = set()
    replaced: dict[int, _Node] = {}
    for node in roots:
        subject, reply = _subject(node)
        there = table.get(subject) if subject else None
        if there is None or there is node:
            continue
        gone.add(id(node))
        if there.row is None:
            there.children += node.children if node.row is None else [node]
        elif reply and not _subject(there)[1]:
            there.children.append(node)
        else:
            both = _Node(None, min(there.place, node.place))
            both.children = [there, node]
            replaced[id(there)] = both
            table[subject] = both
    return [replaced.get(id(node), node) for node in roots if id(node) not in gone]


def _subject(node: _Node) -> tuple[str, bool]:
    """Base subject of a thread, and whether it was that of a reply or forward."""
    row = node.shown
    return (row[BASE_SUBJECT], bool(row[IS_REPLY])) if row is not None else ("", False)


def _sort_below(roots: Sequence[_Node]) -> None:
    """Step 6: siblings by date, the deepest first: a dummy is dated by its first child."""
    order = [node for root in roots for node in _below(root)]
    for node in reversed(order):
        if len(node.children) > 1:
            node.children.sort(key=lambda child: child.when)
