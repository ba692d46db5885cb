"""Answers of the API as gzip, where nothing is lost by it.

What a stranger can put into an answer beside a secret, he can read the secret of by the answer's length (BREACH): an
answer that may hold one is never packed. Control, which knows what an answer holds, says `no-transform` of all but
those of calls that only read and show no secret and nobody's mail. Decision 0022.

Standards: RFC 1952, RFC 9110 8.4.1.3, 12.5.3 (Accept-Encoding), RFC 9111 5.2.2.6 (no-transform)
"""

import zlib
from typing import Final

from whimbrel.services.webd.exchange import Exchange, Headers
from whimbrel.services.webd.pages import encodings

LEAST: Final = 1024
"""Octets that are worth it."""
_LEVEL: Final = 5
_GZIP: Final = 16 + zlib.MAX_WBITS
_KINDS: Final = (b"application/json", b"text/plain", b"text/csv")


class Packer:
    """One answer, piece by piece."""

    def __init__(self) -> None:
        self._state = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)

    def piece(self, octets: bytes) -> bytes:
        return self._state.compress(octets)

    def rest(self) -> bytes:
        return self._state.flush()


def packer(exchange: Exchange, status: int, headers: Headers) -> tuple[Packer | None, Headers]:
    """What packs this answer, if it is to be packed, and its headers then. An answer with an ETag is sent as it is: the
    ETag is the version of a record, and names no encoding of it. RFC 9110 8.8.3.3"""
    named = dict(headers)
    length = named.get(b"content-length", b"")
    if (
        status != 200
        or exchange.method == "HEAD"
        or named.get(b"content-type", b"").partition(b";")[0].strip().lower() not in _KINDS
        or {b"content-encoding", b"etag", b"content-range"} & named.keys()
        or b"no-transform" in named.get(b"cache-control", b"")
        or (length.isdigit() and int(length) < LEAST)
    ):
        return None, headers
    headers = [(name, value) for name, value in headers if name != b"vary"] + [(b"vary", b"accept-encoding")]
    if "gzip" not in encodings(b",".join(value for name, value in exchange.headers if name == b"accept-encoding")):
        return None, headers
    headers = [(name, value) for name, value in headers if name != b"content-length"]
    return Packer(), [*headers, (b"content-encoding", b"gzip")]
