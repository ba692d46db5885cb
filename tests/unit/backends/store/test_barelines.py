"""Which messages have bare LFs is looked for once, wherever the asked UIDs end, and without reading other files."""

from pathlib import Path

import apsw
import pytest

from whimbrel.backends.store.disk import barelines
from whimbrel.backends.store.disk.barelines import MAX_SCANNED, BareLines
from whimbrel.core.uids import ALL, UidSet
from whimbrel.mail.scan import scan

BINARY = b"Content-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n"
CONTENTS = {1: b"a: b\r\n", 2: b"a: b\n\n", 3: b"a: b\r\n\r\nx", 4: b"a: b\r\n\nx", 5: BINARY + b"\n\0\n\n"}


class Index:
    """As many columns as count, and the queries made."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.queries = folder, list[str]()
        self.connection = apsw.Connection(":memory:")
        self.connection.execute("CREATE TABLE msg(uid INTEGER PRIMARY KEY, size INTEGER, octets INTEGER)")
        self.connection.exec_trace = self._trace
        self.bare = BareLines(self.connection, self.file)

    def _trace(self, _cursor: object, query: str, _values: object) -> bool:
        self.queries.append(query)
        return True

    def file(self, uid: int) -> str:
        return str(self.folder / str(uid))

    def add(self, uid: int, content: bytes) -> None:
        Path(self.file(uid)).write_bytes(content)
        bare = content.count(b"\n") - content.count(b"\r\n")
        octets = len(content) + bare + (0 if content.endswith(b"\n") else 2)
        self.connection.execute("INSERT INTO msg VALUES(?,?,?)", (uid, len(content), octets))
        self.queries.clear()


@pytest.fixture
def index(tmp_path: Path) -> Index:
    made = Index(tmp_path)
    for uid, content in CONTENTS.items():
        made.add(uid, content)
    return made


def test_messages_with_bare_line_feeds_have_the_size_of_their_converted_form(index: Index) -> None:
    assert index.bare.among(ALL) == {2: 8, 4: 9}


def test_what_was_looked_through_is_not_looked_through_again(index: Index) -> None:
    for _ in range(2):
        index.bare.among(ALL)
        assert index.bare.among(UidSet([(1, 5)])) == {2: 8, 4: 9}
    assert sum("octets" in query for query in index.queries) == 1
    index.add(6, b"\n")
    for _ in range(2):
        assert index.bare.among(ALL)[6] == 2
    assert sum("octets" in query for query in index.queries) == 1


def test_octets_of_binary_parts_stay_and_all_else_is_converted(index: Index) -> None:
    content = BINARY.replace(b"\r\n", b"\n") + b"a\nb\0\n\n"
    index.add(6, content)
    wanted = BINARY + b"a\nb\0\n\n"
    assert index.bare.among(ALL) == {2: 8, 4: 9, 6: len(wanted)}
    with Path(index.file(6)).open("rb") as file:
        assert index.bare.read(file.fileno(), 6, 0, None) == wanted
        pieces = [index.bare.read(file.fileno(), 6, at, 7) for at in range(0, len(wanted), 7)]
    assert b"".join(pieces) == wanted
    assert index.bare.structure(6).bodystructure == scan(wanted).bodystructure


def test_many_ranges_apart_end_as_one(index: Index) -> None:
    for uid in range(10, 10 + 4 * MAX_SCANNED, 2):
        index.add(uid, b"x\n")
        assert index.bare.among(UidSet([(uid, uid)]))[uid] == 3
    assert len(index.bare._scanned.ranges) <= MAX_SCANNED


def test_a_file_that_cannot_be_read_is_left_as_it_is(index: Index) -> None:
    Path(index.file(2)).unlink()
    assert index.bare.among(ALL) == {4: 9}


@pytest.mark.parametrize("size", [1, 2, 3, 7])
def test_ranges_one_after_the_other_give_the_whole(index: Index, size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(barelines, "_BLOCK", 4)
    content = b"\na\r\n\r\r\n\n\nbc\r\rd\n\r"
    wanted = content.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    path = index.folder / "whole"
    path.write_bytes(content)
    starts = range(0, len(wanted) + size, size)
    with path.open("rb") as file:
        for order in (starts, reversed(starts)):
            pieces = {at: index.bare.read(file.fileno(), 9, at, size) for at in order}
            assert b"".join(pieces[at] for at in starts) == wanted
        assert index.bare.read(file.fileno(), 9, 0, None) == wanted
