"""How a command reaches the calls: by the socket of a running server, or by itself under the installation's lock."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from whimbrel.app.cli.client import Answer, Client, NoServer, Options, Unreachable
from whimbrel.services.admin.calls import Call, CallError, Failure, Needs

SOCKET = ("run", "admin.sock")


class Reach:
    """One installation as a command sees it."""

    def __init__(self, directory: Path, *, offline: bool) -> None:
        self.directory, self.offline = directory, offline
        self._client = Client(directory.joinpath(*SOCKET))

    def call(self, call: Call, arguments: Mapping[str, object], options: Options) -> Answer:
        """The result as JSON values. CallError."""
        if not self.offline:
            try:
                return self._client.call(call, arguments, options)
            except NoServer:
                pass
            except Unreachable as error:
                raise _unavailable(error) from None
        self._refuse(call)
        from whimbrel.app.cli.offline import invoke  # Here: a running server does without all of the backends.

        return invoke(self.directory, call, arguments, options)

    def stream(self, call: Call, arguments: Mapping[str, object], options: Options, answer: Answer) -> Iterator[Any]:
        """The items of a call that streams; `answer` gets what comes beside them. CallError."""
        if not self.offline:
            try:
                yield from self._client.stream(call, arguments, options, answer)
                return
            except NoServer:
                pass
            except Unreachable as error:
                raise _unavailable(error) from None
        self._refuse(call)
        from whimbrel.app.cli.offline import stream

        yield from stream(self.directory, call, arguments, options, answer)

    def _refuse(self, call: Call) -> None:
        """What can be said without loading anything."""
        if self.offline and self._client.reachable():
            raise CallError(
                Failure.REFUSED, f"--offline: a server runs in {self.directory}; stop it first, or leave --offline out"
            )
        if Needs.SERVER in call.needs:
            raise CallError(
                Failure.UNAVAILABLE,
                f"No server runs in {self.directory}, and '{call.name}' needs one; start it with "
                f"`whimbrel --dir {self.directory} serve`",
            )
        if not (self.directory / "mailserver.cfg").is_file():
            raise CallError(
                Failure.UNAVAILABLE,
                f"{self.directory / 'mailserver.cfg'} is not there: name the installation by --dir, or make one with "
                f"`whimbrel --dir {self.directory} setup`",
            )


def _unavailable(error: Unreachable) -> CallError:
    return CallError(Failure.UNAVAILABLE, f"The server does not answer: {error}")
