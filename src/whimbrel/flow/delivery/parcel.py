"""What goes to one destination in one attempt, and its content, read piece by piece from the queue.

The content is checked while it is read: what is not what was taken in is never sent to its end.

Standards: RFC 5321 4.1.1.4 (without the end of data the server must not deliver)
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final
from zlib import crc32

from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.net import TlsMode
from whimbrel.core.queue import Queue, QueueItem, QueueRecipient
from whimbrel.flow.delivery.content import Content
from whimbrel.flow.delivery.destination import Destination, Server
from whimbrel.flow.delivery.progress import Progress
from whimbrel.flow.delivery.sessions import Key
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.delivery.slots import Slot
from whimbrel.flow.delivery.source import Sources

PIECE: Final = 256 * 1024
"""Octets of content in memory at once, where it is larger than HEAD."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """What goes to one destination: `recipients` are those of `item` that have this way."""

    item: QueueItem
    way: Destination
    recipients: tuple[QueueRecipient, ...]


@dataclass(slots=True)
class Job:
    """A parcel with all that its attempt needs to know; set once, as `frozen` would cost more than the rest of it."""

    parcel: Parcel
    content: Content
    recipients: tuple[Recipient, ...]
    settings: DeliverySettings
    mode: TlsMode
    sources: Sources
    progress: Progress
    slot: Slot | None

    @property
    def secret(self) -> bool:
        """A password will be sent: never in the clear, unless TLS is switched off for this relay host."""
        relay = self.parcel.way.relay
        return relay is not None and bool(relay.user) and relay.tls is not TlsMode.NONE

    @property
    def plaintext_will_do(self) -> bool:
        return self.mode is TlsMode.OPPORTUNISTIC and not self.secret

    def key(self, server: Server) -> Key:
        relay = self.parcel.way.relay
        return Key(
            server.name,
            server.address,
            server.port,
            self.mode,
            self.sources.towards(server.address),
            relay.user if relay else "",
            relay is not None,
            bool(relay and relay.lmtp),
        )


class ContentGone(Exception):
    """The entry was deleted while it was being sent."""


class ContentLost(ContentGone):
    """The content is lost, or is not what was taken in, and will not come back."""


def damaged(item: QueueItem, checksum: int) -> bool:
    return item.checksum is not None and item.checksum != checksum


async def pieces_of(queue: Queue, item: QueueItem) -> AsyncIterator[bytes]:
    """ContentGone if it is gone, or, before its end is told to the server, if it is not what was taken in."""
    start = checksum = 0
    while True:
        try:
            piece = await queue.content(item.id, start, PIECE)
        except MailError:
            raise ContentGone from None
        if piece is None:
            raise ContentLost
        checksum = crc32(piece, checksum)
        if len(piece) < PIECE and (start + len(piece) < item.size or damaged(item, checksum)):
            raise ContentLost
        if piece:
            yield piece
        if len(piece) < PIECE:
            return
        start += len(piece)
