"""The dialogue of a connection for the debug log: `log level smtp` switches it on while sessions go on, and off."""

import itertools
from collections.abc import Iterator, Sequence
from typing import Final

from whimbrel.core.engine import Trace
from whimbrel.core.log import Log
from whimbrel.protocols.dialogue import DIALOGUES, shown

EVENTS: Final = {
    "smtp": "smtp.dialogue", "submission": "smtp.dialogue", "submissions": "smtp.dialogue", "lmtp": "lmtp.dialogue",
    "imap": "imap.dialogue", "imaps": "imap.dialogue", "pop3": "pop3.dialogue", "pop3s": "pop3.dialogue",
}  # fmt: skip
"""By the name of the service; what stands before the dot is the category that switches it on."""


_numbers = itertools.count(1)
"""Of connections that are traced, to tell those of one host apart."""


class ServiceTrace:
    """One connection to a service of ours."""

    def __init__(self, service: str, host: str, log: Log) -> None:
        self._log, self._event = log, EVENTS[service]
        self._fields: dict[str, str | int] = {"service": service, "sender_host": host, "connection": next(_numbers)}
        self._dialogue = DIALOGUES[service]()

    def received(self, data: bytes) -> None:
        self._tell("C", self._dialogue.client(data))

    def sent(self, pieces: Sequence[bytes]) -> None:
        self._tell("S", self._dialogue.server(b"".join(pieces)))

    def _tell(self, side: str, lines: Iterator[str]) -> None:
        for line in lines:  # To the end also while nobody wants to know: what comes is understood by what came before.
            self._log.debug(self._event, said=f"{side}: {shown(line)}", **self._fields)


def trace(service: str, host: str, log: Log) -> Trace | None:
    """None while the debug log does not tell of this service."""
    event = EVENTS.get(service)
    if event is None or not log.debugs(event.partition(".")[0]):
        return None
    return ServiceTrace(service, host, log)
