"""Runs a mechanism without network, and without anybody who keeps secrets: a script answers what it wants."""

from collections.abc import Callable, Mapping
from typing import Any

from whimbrel.protocols.sasl.exchange import Answer, Challenge, Channel, Mechanism, Success, Want

Script = Mapping[type[Any], Callable[[Any], Answer]]


class Run:
    """One exchange, paused whenever the client is to answer."""

    def __init__(
        self, mechanism: Mechanism, initial: bytes | None, script: Script, channel: Channel | None = None
    ) -> None:
        self._exchange, self._script = mechanism.start(initial, channel or Channel()), script
        self.wanted: list[Want] = []
        self.challenge: bytes | None = None
        self.success: Success | None = None
        self._go(None)

    def respond(self, response: bytes) -> "Run":
        assert self.challenge is not None
        self._go(response)
        return self

    def _go(self, answer: Answer) -> None:
        self.challenge = None
        try:
            while True:
                want = self._exchange.send(answer)
                self.wanted.append(want)
                if isinstance(want, Challenge):
                    self.challenge = want.data
                    return
                answer = self._script[type(want)](want)
        except StopIteration as end:
            self.success = end.value
