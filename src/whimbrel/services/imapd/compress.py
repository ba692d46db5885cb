"""Handlers of COMPRESS and UNAUTHENTICATE.

Standards: RFC 4978 3, RFC 8437 2
"""

from collections.abc import Iterable

from whimbrel.protocols.imap import compress as grammar
from whimbrel.protocols.imap.engine import Done, Speak, Status
from whimbrel.protocols.imap.grammar import State
from whimbrel.protocols.imap.mode import PLAIN
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, refusal


async def compress(session: Session, command: grammar.Compress) -> Done | None:
    connection = session.connection
    if command.algorithm != b"DEFLATE":
        return Done(Status.BAD, "Compression algorithm not supported")
    if connection.compressed:
        return refusal(b"COMPRESSIONACTIVE", "Compression is active already")
    await session.sync(expunge=True)
    await connection.send(Done(Status.OK, "Compression begins"))
    connection.compress()
    return None


async def unauthenticate(session: Session, _command: grammar.Unauthenticate) -> Done | None:
    if session.connection.compressed:
        # RFC 8437 2: it would have to end with this very answer.
        return refusal(b"CANNOT", "Not while the connection is compressed")
    session.forget()
    session.log = session.log.bind(user="")
    await session.connection.send(Speak(PLAIN))
    await session.connection.send(Done(Status.OK, "Signed out", state=State.NOT_AUTHENTICATED))
    return None


def advertise(session: Session) -> Iterable[bytes]:
    """A stranger gets no memory for it."""
    if session.account is not None and not session.connection.compressed:
        yield b"UNAUTHENTICATE"
        yield b"COMPRESS=DEFLATE"


OFFER = Offer(
    handlers=dict((serves(grammar.Compress, compress), serves(grammar.Unauthenticate, unauthenticate))),
    advertise=advertise,
)
