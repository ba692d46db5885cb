"""What the index looks for by itself is what Python's `in` would find in the same values."""

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from whimbrel.backends.store.disk.columns import INSERT_META, INSERT_MSG, meta_values
from whimbrel.backends.store.disk.index import FolderIndex
from whimbrel.core.rows import HELD
from whimbrel.core.uids import ALL, UidSet
from whimbrel.mail.scan import scan

LETTERS = "aAßſKkiİé́%_*'\"\\ \t=?😀ﬁ\ufeff0\x01"
TEXT = st.text(st.one_of(st.sampled_from(LETTERS), st.characters(exclude_categories=("Cs",))), max_size=12)
NEEDLE = st.text(st.one_of(st.sampled_from(LETTERS + "\0\ud800"), st.characters()), min_size=1, max_size=4)


def field(value: str) -> bytes:
    return value.replace("\r", " ").replace("\n", " ").replace("\0", " ").encode()


@given(
    st.lists(st.tuples(TEXT, TEXT), min_size=1, max_size=6),
    st.lists(st.tuples(st.sampled_from(sorted(HELD)), NEEDLE), min_size=1, max_size=2),
    st.data(),
)
@settings(max_examples=150, deadline=None)
def test_the_index_finds_what_python_finds(
    messages: list[tuple[str, str]], holding: list[tuple[str, str]], data: st.DataObject
) -> None:
    with tempfile.TemporaryDirectory() as name:
        (Path(name) / "#msgs").mkdir()
        index = FolderIndex(Path(name), create=True)
        try:
            for uid, (subject, sender) in enumerate(messages, 1):
                content = b'Subject: %b\r\nFrom: "%b" <a@b>\r\nTo: x\r\n\r\n' % (field(subject), field(sender))
                msg = (uid, uid, 0, "", 0, 0, len(content), len(content), "M", "T", "")
                index.connection.execute(INSERT_MSG, msg)
                index.connection.execute(INSERT_META, (uid, *meta_values(scan(content))))
            every = index.search_rows(ALL)
            places = st.sampled_from([row[HELD["subject"]] for row in every])
            if data.draw(st.booleans()):  # One that is there, or was before it was folded.
                text, start = data.draw(places), data.draw(st.integers(0, 8))
                holding = [("subject", text[start : start + 3] or " "), *holding[1:]]
            uids = data.draw(st.sampled_from([ALL, UidSet([(1, 1), (3, 4)]), UidSet([(2, 9)])]))
            wanted = [
                row
                for row in every
                if row[0] in uids and all(text in row[HELD[name]] for name, text in holding)  # type: ignore[operator]
            ]
            assert index.search_rows(uids, holding) == wanted
        finally:
            index.close()
