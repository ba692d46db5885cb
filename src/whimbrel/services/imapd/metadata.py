"""Handlers of GETMETADATA and SETMETADATA. Each account has its own annotations, private and shared ones alike: its
mailboxes are seen by nobody else.

Standards: RFC 5464 4.2, 4.3, 4.4
"""

from collections.abc import Mapping

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import MAX_ANNOTATION
from whimbrel.protocols.imap import metadata as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done, refusal
from whimbrel.services.session.namespaces import Mailbox, Right


async def _place(session: Session, name: str, rights: Right) -> tuple[Mailbox | None, bytes]:
    """What is annotated, and its name on the wire."""
    if not name:
        return None, b'""'
    mailbox = await session.named(name, rights)
    return mailbox, session.mailbox(mailbox.name)


async def get(session: Session, command: grammar.GetMetadata) -> Done:
    place, name = await _place(session, command.mailbox, Right.READ)
    there = await session.mailboxes.annotations(place)
    values: list[tuple[str, bytes | None]] = []
    longest = 0
    for entry, value in _wanted(there, command).items():
        if value is not None and command.max_size is not None and len(value) > command.max_size:
            longest = max(longest, len(value))  # RFC 5464 4.2.1
        else:
            values.append((entry, value))
    if values:
        await session.untagged(grammar.response(name, values))
    return done(command, b"METADATA LONGENTRIES %d" % longest if longest else b"")


def _wanted(there: Mapping[str, bytes], command: grammar.GetMetadata) -> dict[str, bytes | None]:
    wanted: dict[str, bytes | None] = {}
    for entry in command.entries:
        if entry in there or (not command.depth and entry.count("/") > 1):
            wanted[entry] = there.get(entry)
        if not command.depth:
            continue
        for name in sorted(there):
            below = name.removeprefix(entry + "/")
            if below != name and below.count("/") < command.depth:
                wanted[name] = there[name]
    return wanted


async def set_(session: Session, command: grammar.SetMetadata) -> Done:
    place, _ = await _place(session, command.mailbox, Right.WRITE)
    if any(value is not None and len(value) > MAX_ANNOTATION for _, value in command.values):
        return refusal(b"METADATA MAXSIZE %d" % MAX_ANNOTATION, "Value too long")
    try:
        await session.mailboxes.annotate(place, dict(command.values))
    except MailboxError as error:
        if error.condition is Condition.LIMIT:
            return refusal(b"METADATA TOOMANY", error.text)
        if error.condition is Condition.OVERQUOTA:
            return refusal(b"METADATA MAXSIZE %d" % MAX_ANNOTATION, error.text)
        raise
    return done(command)


OFFER = Offer(
    handlers=dict((serves(grammar.GetMetadata, get), serves(grammar.SetMetadata, set_))), capabilities=(b"METADATA",)
)
