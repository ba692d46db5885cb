"""Handlers of COMPRESS and UNAUTHENTICATE.

Standards: RFC 4978 3, RFC 8437 3, 4
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
    if session.hears:
        await session.sync(expunge=True)
    await connection.send(Done(Status.OK, "Compression begins"))
    connection.compress()
    return None


async def unauthenticate(session: Session, _command: grammar.Unauthenticate) -> Done | None:
    if not session.settings.unauthenticate:
        return Done(Status.BAD, "Unknown command")  # RFC 8437 3: NO is not permitted.
    session.forget()
    session.log = session.log.bind(user="")
    connection = session.connection
    await connection.send(Speak(PLAIN))
    await connection.send(Done(Status.OK, "Signed out", state=State.NOT_AUTHENTICATED))
    if connection.compressed:
        connection.uncompress()  # RFC 8437 4.1: it ends with this very answer.
    return None


def advertise(session: Session) -> Iterable[bytes]:
    """A stranger gets no memory for it."""
    if session.account is None:
        return
    if session.settings.unauthenticate:
        yield b"UNAUTHENTICATE"
    if not session.connection.compressed:
        yield b"COMPRESS=DEFLATE"


OFFER = Offer(
    handlers=dict((serves(grammar.Compress, compress), serves(grammar.Unauthenticate, unauthenticate))),
    advertise=advertise,
)
