"""A bare IMAP client for measuring: one socket, whole answers, as little work of its own as can be."""

import socket
import ssl
from collections.abc import Iterable

_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_CONTEXT.check_hostname, _CONTEXT.verify_mode = False, ssl.CERT_NONE


class Client:
    """Signed in by `login`; answers are returned as they came."""

    def __init__(self, port: int, *, tls: bool = False) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", port), timeout=300)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if tls:
            self.socket = _CONTEXT.wrap_socket(self.socket)
        self._count = 0
        self.line()

    def line(self) -> bytes:
        """One read that ends in a line's end."""
        data = b""
        while not data.endswith(b"\r\n"):
            more = self.socket.recv(65536)
            if not more:
                raise ConnectionError("the server closed the connection")
            data += more
        return data

    def command(self, words: bytes) -> bytes:
        """The whole answer. RuntimeError unless it is OK."""
        self._count += 1
        tag = b"t%d" % self._count
        self.socket.sendall(tag + b" " + words + b"\r\n")
        return self.answer(tag)

    def answer(self, tag: bytes) -> bytes:
        parts: list[bytes] = []
        tail = b""
        while True:
            data = self.socket.recv(1 << 18)
            if not data:
                raise ConnectionError("the server closed the connection")
            parts.append(data)
            tail = (tail + data)[-1000:]
            if tail.endswith(b"\r\n"):
                last = tail[:-2].rpartition(b"\n")[2]
                if last.startswith(tag + b" "):
                    if not last.startswith(tag + b" OK"):
                        raise RuntimeError(last.decode("utf-8", "replace"))
                    return b"".join(parts)

    def login(self, user: str, password: str) -> "Client":
        self.command(f'LOGIN {user} "{password}"'.encode())
        return self

    def append(self, messages: Iterable[bytes], mailbox: bytes = b"INBOX", ahead: int = 100) -> None:
        """Pipelined, `ahead` at a time."""
        waiting: list[bytes] = []
        for message in messages:
            self._count += 1
            waiting.append(b"t%d APPEND %b {%d+}\r\n%b\r\n" % (self._count, mailbox, len(message), message))
            if len(waiting) == ahead:
                self.socket.sendall(b"".join(waiting))
                self.answer(b"t%d" % self._count)
                waiting.clear()
        if waiting:
            self.socket.sendall(b"".join(waiting))
            self.answer(b"t%d" % self._count)

    def fill(self, messages: Iterable[bytes], mailbox: bytes = b"INBOX", together: int = 100) -> None:
        """So many in one command. RFC 3502"""
        waiting: list[bytes] = []
        for message in messages:
            waiting.append(b" {%d+}\r\n%b" % (len(message), message))
            if len(waiting) == together:
                self.command(b"APPEND %b%b" % (mailbox, b"".join(waiting)))
                waiting.clear()
        if waiting:
            self.command(b"APPEND %b%b" % (mailbox, b"".join(waiting)))

    def close(self) -> None:
        self.socket.close()
