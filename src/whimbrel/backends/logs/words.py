"""The words of a log: what an index remembers of each block, and what a search for an id or an address compares.

A word is a queue id, an address, the domain of an address, a host, an IP address, a message-id without its brackets.
"""

import hashlib
import re
from array import array
from collections.abc import Iterable
from typing import Final

from whimbrel.backends.logs.stamp import LENGTH

LONGEST: Final = 250
FILTER: Final = 4096
"""Octets of a block's filter: 32768 bits, of which each word sets five. With 2,500 words, as a full block of mail
has, three in a thousand blocks are looked into for nothing."""
_MASK: Final = FILTER * 8 - 1
_WORD: Final = re.compile(rb"[0-9a-z\x80-\xff!#$%&'*+/=?^_`{|}~.@:-]{3,250}")
_EDGE: Final = b".:-"


def words_of(text: bytes) -> set[bytes]:
    """All words of lower-case text without the times at the heads of its lines."""
    tokens = {word.strip(_EDGE) for word in _WORD.findall(text)}
    tokens |= {word.rpartition(b"@")[2] for word in tokens if b"@" in word}
    return tokens


def block_words(block: bytes) -> set[bytes]:
    """The words of whole lines."""
    return words_of(b"\n".join([line[LENGTH:] for line in block.lower().split(b"\n")]))


def wanted(word: str) -> bytes:
    """A word that a person looks for, in the form that lines are compared by; empty if no line can have it."""
    text = word.strip().strip("<>").encode("utf-8", "surrogateescape").lower().strip(_EDGE)
    match = _WORD.match(text)
    return text if match and match.end() == len(text) else b""


def wanted_quoted(word: str) -> tuple[frozenset[bytes], bytes]:
    """Of an address in quotes, which is no word of a line: the words in it, and all of it; empty if it is none."""
    text = word.strip().strip("<>").encode("utf-8", "surrogateescape").lower()
    return (frozenset(words_of(text)), text) if text.startswith(b'"') and b'"@' in text else (frozenset(), b"")


def bits(word: bytes) -> tuple[int, ...]:
    """The five bits of a word in a filter."""
    digest = hashlib.blake2b(word, digest_size=10).digest()
    return tuple(int.from_bytes(digest[at : at + 2], "little") & _MASK for at in range(0, 10, 2))


def make_filter(words: Iterable[bytes]) -> bytes:
    """The filter that every one of `words` is in."""
    blake2b = hashlib.blake2b
    numbers = array("H", b"".join([blake2b(word, digest_size=10).digest() for word in words]))
    if _BIG_ENDIAN:
        numbers.byteswap()
    made = bytearray(FILTER)
    for number in numbers:
        number &= _MASK
        made[number >> 3] |= 1 << (number & 7)
    return bytes(made)


_BIG_ENDIAN: Final = array("H", b"\x00\x01")[0] == 1
