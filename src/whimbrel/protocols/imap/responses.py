"""Untagged responses, behind `* `, and response codes: what commands have in common. Those of one command alone are in
its part; FETCH responses with flags are in `flaglines`.

Standards: RFC 3501 7; RFC 2342 5 (NAMESPACE), RFC 4315 3 (APPENDUID, COPYUID), RFC 5161 3.2, RFC 7162 3.2.10
(VANISHED), RFC 9208 4.2 (QUOTA), RFC 9585 4 (INPROGRESS)
"""

from collections.abc import Iterable, Sequence

from whimbrel.core.mailbox import DELIMITER
from whimbrel.core.uids import UidSet
from whimbrel.protocols.imap.encode import parenthesised, string, text
from whimbrel.protocols.imap.sequence import uid_set

_DELIMITER = b'"%b"' % DELIMITER.encode()


def ok(code: bytes, words: str) -> bytes:
    return b"OK [%b] %b" % (code, text(words))


def bye(words: str) -> bytes:
    return b"BYE " + text(words)


def capability(names: bytes) -> bytes:
    """Also a response code."""
    return b"CAPABILITY " + names


def enabled(names: Iterable[bytes]) -> bytes:
    return b" ".join((b"ENABLED", *names))


def identity(name: bytes) -> bytes:
    return b'ID ("name" %b)' % string(name)


def namespaces(kinds: Iterable[Sequence[bytes]]) -> bytes:
    """Prefixes, as they go on the wire, of personal namespaces, those of other users, and shared ones."""
    groups = [
        b"(%b)" % b"".join([b"(%b %b)" % (string(prefix), _DELIMITER) for prefix in prefixes]) if prefixes else b"NIL"
        for prefixes in kinds
    ]
    return b" ".join((b"NAMESPACE", *groups))


def listed(kind: bytes, attributes: Iterable[str], name: bytes, extended: bytes = b"") -> bytes:
    """LIST or LSUB; `name` as it goes on the wire; `extended`: what RFC 5258 puts behind it, after a space."""
    return b"%b (%b) %b %b%b" % (kind, " ".join(attributes).encode(), _DELIMITER, name, extended)


def old_name(name: bytes) -> bytes:
    """RFC 5465 5.4"""
    return b' ("OLDNAME" (%b))' % name


def child_info(options: Iterable[bytes]) -> bytes:
    """RFC 5258 3.5"""
    return b' ("CHILDINFO" (%b))' % b" ".join(b'"%b"' % option for option in options)


def status(mailbox: bytes, values: Iterable[tuple[bytes, int | bytes]]) -> bytes:
    pairs = [b"%b %b" % (name, value if isinstance(value, bytes) else b"%d" % value) for name, value in values]
    return b"STATUS %b %b" % (mailbox, parenthesised(pairs))


def exists(count: int) -> bytes:
    return b"%d EXISTS" % count


def recent(count: int) -> bytes:
    return b"%d RECENT" % count


def expunged(numbers: Iterable[int]) -> bytes:
    """Whole lines: the numbers in the order in which they go."""
    return b"".join([b"* %d EXPUNGE\r\n" % number for number in numbers])


def vanished(uids: UidSet, *, earlier: bool = False) -> bytes:
    return b"VANISHED %b%b" % (b"(EARLIER) " if earlier else b"", str(uids).encode())


def flags(names: Iterable[str]) -> bytes:
    """System flags and keywords in parentheses."""
    return f"({' '.join(names)})".encode("ascii", "replace")


def numbers(name: str, results: Iterable[int], modseq: int) -> bytes:
    """SEARCH or SORT; `modseq` 0: not asked for. RFC 7162 3.1.5"""
    tail = f" (MODSEQ {modseq})" if modseq else ""
    return f"{' '.join([name, *map(str, results)])}{tail}".encode()


def thread(threads: bytes) -> bytes:
    return b"THREAD " + threads if threads else b"THREAD"


def append_uid(validity: int, uids: Sequence[int]) -> bytes:
    return b"APPENDUID %d %b" % (validity, uid_set(uids))


def copy_uid(validity: int, source: Sequence[int], target: Sequence[int]) -> bytes:
    return b"COPYUID %d %b %b" % (validity, uid_set(source), uid_set(target))


def quota(root: bytes, resources: Iterable[tuple[bytes, int, int]]) -> bytes:
    """Of each resource its name, usage and limit."""
    return b"QUOTA %b %b" % (root, parenthesised([b"%b %d %d" % resource for resource in resources]))


def quota_roots(mailbox: bytes, roots: Iterable[bytes]) -> bytes:
    return b" ".join((b"QUOTAROOT", mailbox, *roots))


def in_progress(tag: bytes, done: int, total: int) -> bytes:
    return ok(b"INPROGRESS (%b %d %d)" % (string(tag), min(done, total), total), "Still at it")
