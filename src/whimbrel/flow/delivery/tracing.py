"""The dialogue with another server for the debug log: `log level sending`."""

from collections.abc import Iterator

from whimbrel.core.log import Log
from whimbrel.core.net import Link, TlsInfo
from whimbrel.protocols.dialogue import SmtpDialogue, shown

CATEGORY = "delivery"


class TracedLink:
    """A Link whose dialogue is told."""

    def __init__(self, link: Link, log: Log) -> None:
        self._link, self._log, self._dialogue = link, log, SmtpDialogue()

    @property
    def peer(self) -> str:
        return self._link.peer

    @property
    def local(self) -> str:
        return self._link.local

    @property
    def tls(self) -> TlsInfo | None:
        return self._link.tls

    async def read(self) -> bytes:
        data = await self._link.read()
        self._tell("S", self._dialogue.server(data))
        return data

    async def write(self, data: bytes) -> None:
        self._tell("C", self._dialogue.client(data))
        await self._link.write(data)

    async def start_tls(self) -> None:
        await self._link.start_tls()

    async def close(self) -> None:
        await self._link.close()

    def _tell(self, side: str, lines: Iterator[str]) -> None:
        for line in lines:
            self._log.debug("delivery.dialogue", remote=self._link.peer, said=f"{side}: {shown(line)}")


def traced(link: Link, log: Log) -> Link:
    """The link itself while nobody wants to know."""
    return TracedLink(link, log) if log.debugs(CATEGORY) else link
