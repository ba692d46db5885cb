"""IMAP: any chunking gives the same commands, no octets raise anything, what is written is read back."""

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.protocols.imap.engines import GRAMMAR, converse, engine
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap import encode, utf7
from whimbrel.protocols.imap.cursor import Cursor
from whimbrel.protocols.imap.engine import BulkData, Event, Limits
from whimbrel.protocols.imap.grammar import State
from whimbrel.protocols.imap.sequence import SequenceSet, uid_set

WORDS = [
    b"a ", b"NOOP", b"\r\n", b"\n", b"\r", b" ", b"LOGIN", b"UID ", b"FETCH 1:* ", b"FLAGS", b"{3}\r\n", b"{3+}\r\n",
    b"abc", b"{200+}\r\n", b"{70}\r\n", b"(", b")", b'"', b"\\", b"APPEND x ", b"IDLE", b"DONE", b"AUTHENTICATE PLAIN",
    b"AGEAYg==", b"STARTTLS", b"SEARCH TEXT ", b"BODY[", b"]", b"&", b"\xff", b"\0", b"*", b"x" * 90, b"LIST ", b"%",
    b"{99999999999+}", b"STORE 1 ", b"+FLAGS ", b"~{2}\r\n", b"a NOOP\r\n", b"a APPEND x {3+}\r\nabc\r\n",
    b"a IDLE\r\nDONE\r\n",
]  # fmt: skip
STREAMS = st.lists(st.sampled_from(WORDS) | st.binary(max_size=8), max_size=30).map(b"".join)
LIMITS = Limits(
    line=150, command=250, bulk=300, line_before=120, command_before=200, sasl_line=60, bad=50, bad_before=50
)


def told(events: list[Event]) -> list[Event]:
    """Blocks of bulk data joined: their cut is the stream's."""
    out: list[Event] = []
    for event in events:
        if isinstance(event, BulkData) and out and isinstance(out[-1], BulkData):
            out[-1] = BulkData(out[-1].data + event.data)
        else:
            out.append(event)
    return out


@settings(max_examples=300)
@given(STREAMS, st.sampled_from([State.NOT_AUTHENTICATED, State.SELECTED]), st.integers(1, 7))
def test_any_chunking_gives_the_same_commands_and_answers(data: bytes, state: State, size: int) -> None:
    whole, answers = converse(engine(state, LIMITS), [data])
    pieces, same = converse(engine(state, LIMITS), [data[i : i + size] for i in range(0, len(data), size)])
    assert told(pieces) == told(whole)
    assert same == answers


@given(st.binary(max_size=300), st.sampled_from([State.NOT_AUTHENTICATED, State.AUTHENTICATED, State.SELECTED]))
def test_no_octets_raise(data: bytes, state: State) -> None:
    converse(engine(state, LIMITS), [data + b"\r\n"])


@settings(max_examples=300)
@given(st.sampled_from(sorted(GRAMMAR.commands)), st.lists(st.sampled_from(WORDS) | st.binary(max_size=5), max_size=12))
def test_no_arguments_raise(name: bytes, words: list[bytes]) -> None:
    state = State.SELECTED if State.SELECTED in GRAMMAR.commands[name].states else State.NOT_AUTHENTICATED
    converse(engine(state, LIMITS), [b"t " + name + b" " + b"".join(words) + b"\r\n"])


TEXT = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\u2028\u2029"), max_size=40)


@given(TEXT)
def test_mailbox_names_are_read_back(name: str) -> None:
    assert utf7.decode(utf7.encode(name)) == name
    assert Cursor(encode.mailbox(name)).mailbox() == name


@given(st.binary(max_size=30) | st.text("&-AQO+,/abc ", max_size=12).map(str.encode))
def test_a_name_has_one_form_on_the_wire(wire: bytes) -> None:
    try:
        name = utf7.decode(wire)
    except ValueError:
        return
    assert utf7.encode(name) == wire


@given(st.binary(max_size=50).filter(lambda data: b"\0" not in data))
def test_astrings_are_read_back(data: bytes) -> None:
    cursor = Cursor(encode.astring(data))
    assert cursor.astring() == data and cursor.ended


NUMBERS = st.integers(0, 0xFFFFFFFF)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=20))
def test_sequence_sets_are_read_back(ranges: list[tuple[int, int]]) -> None:
    wanted = SequenceSet(tuple(ranges))
    assert Cursor(bytes(wanted)).sequence_set() == wanted


@given(st.lists(st.integers(1, 200), max_size=60, unique=True))
def test_uid_sets_are_read_back_in_order(uids: list[int]) -> None:
    text = uid_set(uids)
    found: list[int] = []
    for first, last in Cursor(text).sequence_set().ranges if text else ():
        found += range(first, last + 1)
    assert found == uids
    assert UidSet.of(found) == UidSet.of(uids)
