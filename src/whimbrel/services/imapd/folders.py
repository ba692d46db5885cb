"""Handlers of CREATE, DELETE, RENAME, SUBSCRIBE.

Standards: RFC 3501 6.3.3-6.3.7; RFC 6154 3 (CREATE-SPECIAL-USE), RFC 8474 4.1 (MAILBOXID of CREATE)
"""

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, SpecialUse
from whimbrel.protocols.imap import folders as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done, refusal

_USES = {use.value.lower(): use for use in SpecialUse}


async def create(session: Session, command: grammar.Create) -> Done:
    # A delimiter at the end says that names below are to follow: nothing that we need to know. RFC 3501 6.3.3
    name = command.mailbox.removesuffix(DELIMITER)
    uses = [_USES.get(use.lower()) for use in command.uses]
    if len(uses) > 1 or None in uses:
        return refusal(b"USEATTR", "Special use not supported")  # RFC 6154 3
    mailboxes = session.mailboxes
    try:
        folder = await mailboxes.create(name, uses[0] if uses else None)
    except MailboxError as error:
        if uses and error.condition is Condition.ALREADYEXISTS and await mailboxes.find(name) is None:
            return refusal(b"USEATTR", error.text)  # It is the use that another folder has already.
        raise
    return done(command, f"MAILBOXID ({folder.ref.mailbox})".encode())


async def delete(session: Session, command: grammar.Delete) -> Done:
    mailbox = await session.mailboxes.find(command.mailbox)
    await session.mailboxes.delete(command.mailbox)
    if mailbox is not None and session.selected is not None and session.selected.ref == mailbox.ref:
        session.leave()
    return done(command)


async def rename(session: Session, command: grammar.Rename) -> Done:
    await session.mailboxes.rename(command.old, command.new.removesuffix(DELIMITER))
    if session.selected is not None:
        session.selected.hints.stale = True  # Renaming INBOX moves its messages away.
    return done(command)


async def subscribe(session: Session, command: grammar.Subscribe) -> Done:
    await session.mailboxes.subscribe(command.mailbox, subscribed=command.subscribed)
    return done(command, text="Subscribe completed" if command.subscribed else "Unsubscribe completed")


OFFER = Offer(
    handlers=dict(
        (
            serves(grammar.Create, create),
            serves(grammar.Delete, delete),
            serves(grammar.Rename, rename),
            serves(grammar.Subscribe, subscribe),
        )
    ),
    capabilities=(b"CREATE-SPECIAL-USE",),
)
