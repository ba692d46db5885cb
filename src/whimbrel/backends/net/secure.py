"""The server's side of TLS over bytes: ciphertext in, plaintext out, and the other way; no socket, no waiting.

The driver puts it between a plain transport and an engine, for TLS from the first octet and for STARTTLS alike. An
event loop's own TLS would cost each of thousands of waiting connections two more objects and a buffer. A memory BIO
never gives back what it once held, so both are fed in pieces of a page.

Standards: RFC 8446 4.6.3, 5.1, 6.1, RFC 5246 7.2.1
"""

import ssl
import threading
from typing import Final, cast

from whimbrel.core.net import TlsInfo

PIECE: Final = 4096
"""Octets that go into a BIO at once, so about what it holds for the life of the connection."""
STEP: Final = 64 * 1024
"""Octets that are encrypted for one write of the transport."""
_RECORD: Final = 16 * 1024
"""Octets that a record can carry: one read takes all of it. RFC 8446 5.1"""


class _Here(threading.local):
    """What is decrypted at once by whatever connection of a thread: pieces of their own would be joined, and so much
    memory taken and given back each time that malloc returns it to the kernel, and asks again."""

    def __init__(self) -> None:
        self.plain = memoryview(bytearray(STEP + _RECORD))


_here = _Here()


class Secure:
    """One connection's TLS."""

    __slots__ = ("_at", "_held", "_in", "_out", "_tls", "ended", "established", "failure", "held")

    def __init__(self, context: ssl.SSLContext) -> None:
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._in, self._out, server_side=True)
        self.established = False
        """The handshake is done."""
        self.ended = False
        """The peer has said that it will send no more (close_notify)."""
        self.failure = ""
        """What went wrong; then nothing more is taken or given, except by `outgoing` the alert about it."""
        self.held = 0
        """Octets of plaintext that `sealed` has not given yet."""
        self._held: list[bytes] = []
        self._at = 0

    @property
    def info(self) -> TlsInfo:
        name, _, bits = self._tls.cipher() or ("", "", 0)
        return TlsInfo(str(self._tls.version() or ""), str(name), int(bits))

    def channel_binding(self, kind: str) -> bytes | None:
        """What binds an exchange to this connection: tls-server-end-point, or tls-unique below TLS 1.3. None: there is
        none of this kind here. RFC 5929 3, 4"""
        if not self.established:
            return None
        if kind == "tls-unique":
            return self._tls.get_channel_binding(kind) if self._tls.version() == "TLSv1.2" else None
        if kind != "tls-server-end-point":
            return None
        shown = self._tls.context  # That which SNI chose.
        if self._tls.session_reused and not getattr(shown, "first", True):
            return None  # It was not shown now, and what the client was shown before may have been another.
        return getattr(shown, "endpoint", b"") or None

    # From the peer

    def feed(self, data: bytes | memoryview) -> bytes:
        """The plaintext that `data` completes, b"" all through the handshake. `data` has at most STEP octets."""
        size = len(data)
        if size > STEP:
            raise ValueError("too much at once")
        plain = _here.plain
        if size <= PIECE:
            filled = self._opened(data, plain, 0)
        else:
            filled = 0
            for at in range(0, size, PIECE):
                filled = self._opened(data[at : at + PIECE], plain, filled)
        return bytes(plain[:filled])

    def _opened(self, data: bytes | memoryview, plain: memoryview, filled: int) -> int:
        """Appends to the first `filled` octets of `plain`; how many are filled then."""
        if self.ended or self.failure:
            return filled
        try:
            self._in.write(data)
            if not self.established:
                self._tls.do_handshake()
                self.established = True
            # OpenSSL takes no octet of a record before it needs it: an empty BIO says that there is no more to read,
            # without asking for it in vain. Key updates and the like are done with inside of `read`.
            while self._in.pending:
                size = cast(int, self._tls.read(_RECORD, plain[filled:]))  # Since it is given a buffer.
                if not size:
                    self.ended = True
                    break
                filled += size
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            self.ended = True
        except ssl.SSLError as error:
            self._fail(error)
        return filled

    # To the peer

    def outgoing(self) -> bytes:
        """What TLS itself has to say: its part of the handshake, tickets, alerts."""
        return self._out.read() if self._out.pending else b""

    def hold(self, data: bytes) -> None:
        """Takes plaintext for `sealed`, as it is: nothing is copied."""
        if data and not self.failure:
            self._held.append(data)
            self.held += len(data)

    def sealed(self) -> bytes:
        """The next records, of at most STEP octets of what is held: a slow reader's body is encrypted as it reads."""
        records, room = list[bytes](), STEP
        try:
            while self._held and room:
                data, at = self._held[0], self._at
                size = min(len(data) - at, PIECE, room)
                self._tls.write(data if size == len(data) else memoryview(data)[at : at + size])
                records.append(self._out.read())
                room -= size
                self.held -= size
                self._at = at + size
                if self._at == len(data):
                    del self._held[0]
                    self._at = 0
        except ssl.SSLError as error:
            self._fail(error)
        return records[0] if len(records) == 1 else b"".join(records)

    def close(self) -> bytes:
        """Our close_notify, so that the peer knows it got everything, or the alert about what failed. RFC 8446 6.1"""
        if not self.established or self.failure:
            return self.outgoing()
        try:
            self._tls.unwrap()
        except ssl.SSLWantReadError:
            pass  # The peer's own is not waited for.
        except ssl.SSLError:
            return b""
        return self.outgoing()

    def _fail(self, error: ssl.SSLError) -> None:
        self.failure = str(error)
        self.held = self._at = 0
        self._held.clear()
