"""The client of a running server's admin socket. Standard library only, so that a command starts in a blink.

Exit 4 of the command line is `Unreachable`; a socket file that nobody serves counts as no server.
"""

import http.client
import json
import os
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from whimbrel.services.admin.calls import Call, CallError, Failure, FieldFault

TIMEOUT = 600.0
"""A rebuild of a large folder is quiet for long."""
_MAX_ANSWER = 1 << 30


class Unreachable(Exception):
    """The server does not answer, or not to its end."""


class NoServer(Unreachable):
    """Nobody serves the socket; nothing was sent."""


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=TIMEOUT)
        self._path = path
        self.opened: socket.socket | None = None
        """Also when `sock` was handed to the response."""

    def connect(self) -> None:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        name, folder = os.fspath(self._path), -1
        try:
            if len(os.fsencode(name)) > 100 and os.path.isdir("/proc/self/fd"):
                # The system allows about 100 bytes for the name of a socket.
                folder = os.open(self._path.parent, os.O_RDONLY)
                name = f"/proc/self/fd/{folder}/{self._path.name}"
            sock.connect(name)
        except OSError:
            sock.close()
            raise
        finally:
            if folder >= 0:
                os.close(folder)
        sock.settimeout(TIMEOUT)
        self.sock = self.opened = sock


class Client:
    """Calls by way of one server's socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def reachable(self) -> bool:
        """Somebody serves the socket."""
        connection = _UnixConnection(self._path)
        try:
            connection.connect()
        except OSError:
            return False
        connection.close()
        return True

    def call(self, call: Call, arguments: Mapping[str, object], *, dry_run: bool) -> Any:
        """The result as JSON values. CallError, Unreachable."""
        connection, response = self._send(call, arguments, dry_run)
        try:
            return self._json(response)
        finally:
            connection.close()

    def stream(self, call: Call, arguments: Mapping[str, object], *, dry_run: bool) -> Iterator[Any]:
        """The items of a call that streams, as they come. CallError, Unreachable."""
        connection, response = self._send(call, arguments, dry_run)
        try:
            if response.status != 200:
                self._json(response)
            if arguments.get("follow") and connection.opened is not None:
                connection.opened.settimeout(None)  # What is followed may be quiet for days.
            for line in response:
                message = json.loads(line)
                if "item" in message:
                    yield message["item"]
                elif "error" in message:
                    raise _error(message["error"])
                else:
                    return
            raise Unreachable("the server ended before its answer did")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the connection to the server broke: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _send(
        self, call: Call, arguments: Mapping[str, object], dry_run: bool
    ) -> tuple[_UnixConnection, http.client.HTTPResponse]:
        connection = _UnixConnection(self._path)
        try:
            connection.connect()
        except OSError as error:
            raise NoServer(f"{self._path}: {error.strerror or error}") from None
        try:
            connection.request(
                "POST",
                call.path + ("?check=1" if dry_run else ""),
                json.dumps(arguments).encode(),
                {"Content-Type": "application/json", "Connection": "close"},
            )
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self._path}: {error or type(error).__name__}") from None

    @staticmethod
    def _json(response: http.client.HTTPResponse) -> Any:
        try:
            body = json.loads(response.read(_MAX_ANSWER))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"the server's answer cannot be read: {error}") from None
        if response.status != 200:
            raise _error(body.get("error") if isinstance(body, dict) else None)
        return body


def _error(made: Any) -> CallError:
    if not isinstance(made, dict):
        return CallError(Failure.FAILED, "the server answered in a form that this release does not know")
    kinds = {kind.word: kind for kind in Failure}
    fields = [FieldFault(str(fault["name"]), str(fault["text"])) for fault in made.get("fields", ())]
    return CallError(kinds.get(str(made.get("kind")), Failure.FAILED), str(made.get("text", "")), *fields)
