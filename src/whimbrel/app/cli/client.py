"""The client of a running server's admin socket. Standard library only, so that a command starts in a blink.

Exit 4 of the command line is `Unreachable`; a socket file that nobody serves counts as no server.
"""

import http.client
import json
import os
import socket
import urllib.parse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from whimbrel.services.admin.calls import Call, CallError, Failure, FieldFault

TIMEOUT = 600.0
"""A rebuild of a large folder is quiet for long."""
_MAX_ANSWER = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a call is made, beside its arguments."""

    dry_run: bool = False
    confirmed: str = ""
    """The words that were typed to confirm something dangerous."""
    question: bool = False
    """Only ask what a person is to be asked first."""
    wait: bool = True
    """To the end of what takes long; else its operation is begun."""

    @property
    def query(self) -> str:
        named = (
            ("check", "1" if self.dry_run else ""), ("confirm", self.confirmed),
            ("question", "1" if self.question else ""), ("wait", "" if self.wait else "0"),
        )  # fmt: skip
        words = urllib.parse.urlencode([(name, value) for name, value in named if value])
        return f"?{words}" if words else ""


@dataclass(slots=True)
class Answer:
    """What came back. A stream has its items instead of `result`."""

    result: Any = None
    warnings: list[str] = field(default_factory=list)
    operation: str = ""
    """Id of the operation that does the work."""
    question: str = ""


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

    @property
    def where(self) -> str:
        """The server, as a message names it."""
        return str(self._path)

    def _connection(self) -> Any:
        """A connection to it, not yet open, with the attribute `opened` of _UnixConnection."""
        return _UnixConnection(self._path)

    def _headers(self) -> Mapping[str, str]:
        """By which it knows who asks."""
        return {}

    def reachable(self) -> bool:
        """Somebody serves the socket."""
        connection = _UnixConnection(self._path)
        try:
            connection.connect()
        except OSError:
            return False
        connection.close()
        return True

    def call(self, call: Call, arguments: Mapping[str, object], options: Options) -> Answer:
        """The result as JSON values. CallError, Unreachable."""
        connection, response = self._send(call, arguments, options)
        try:
            body = self._json(response)
        finally:
            connection.close()
        return Answer(
            body.get("result"), list(body.get("warnings", ())), str(body.get("operation", "")),
            str(body.get("question", "")),
        )  # fmt: skip

    def stream(self, call: Call, arguments: Mapping[str, object], options: Options, answer: Answer) -> Iterator[Any]:
        """The items of a call that streams, as they come; `answer` gets the rest. CallError, Unreachable."""
        connection, response = self._send(call, arguments, options)
        try:
            if response.status != 200:  # An operation that was only begun, or a refusal.
                answer.operation = str(self._json(response).get("operation", ""))
                return
            if arguments.get("follow") and connection.opened is not None:
                connection.opened.settimeout(None)  # What is followed may be quiet for days.
            for line in response:
                message = json.loads(line)
                if "item" in message:
                    yield message["item"]
                elif "operation" in message:
                    answer.operation = str(message["operation"])
                elif "error" in message:
                    raise error_of(message["error"])
                else:
                    answer.warnings += message.get("warnings", ())
                    return
            raise Unreachable("the server ended before its answer did")
        except (OSError, http.client.HTTPException) as error:
            raise Unreachable(f"the connection to the server broke: {error or type(error).__name__}") from None
        finally:
            connection.close()

    def _send(
        self, call: Call, arguments: Mapping[str, object], options: Options
    ) -> tuple[Any, http.client.HTTPResponse]:
        headers, connection = self._headers(), self._connection()
        try:
            connection.connect()
        except OSError as error:
            raise NoServer(f"{self.where}: {error.strerror or error}") from None
        try:
            connection.request(
                "POST",
                call.path + options.query,
                json.dumps(arguments).encode(),
                {"Content-Type": "application/json", "Connection": "close", **headers},
            )
            return connection, connection.getresponse()
        except (OSError, http.client.HTTPException) as error:
            connection.close()
            raise Unreachable(f"{self.where}: {error or type(error).__name__}") from None

    @staticmethod
    def _json(response: http.client.HTTPResponse) -> Any:
        try:
            body = json.loads(response.read(_MAX_ANSWER))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Unreachable(f"the server's answer cannot be read: {error}") from None
        if response.status not in (200, 202):
            raise error_of(body.get("error") if isinstance(body, dict) else None)
        if not isinstance(body, dict):
            raise Unreachable("the server's answer is of a form that this release does not know")
        return body


def error_of(made: Any) -> CallError:
    """A refusal, from its JSON."""
    if not isinstance(made, dict):
        return CallError(Failure.FAILED, "the server answered in a form that this release does not know")
    kinds = {kind.word: kind for kind in Failure}
    fields = [FieldFault(str(fault["name"]), str(fault["text"])) for fault in made.get("fields", ())]
    return CallError(
        kinds.get(str(made.get("kind")), Failure.FAILED),
        str(made.get("text", "")),
        *fields,
        confirm=str(made.get("confirm", "")),
    )
