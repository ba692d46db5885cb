"""Handlers of CREATE, DELETE, RENAME, SUBSCRIBE, LIST, LSUB, STATUS.

Standards: RFC 3501 6.3.3-6.3.10, 7.2.2; RFC 3348 (CHILDREN), RFC 6154 (SPECIAL-USE)
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, Folder, FolderRef, FolderStatus, SpecialUse
from whimbrel.core.uids import MAX_UID, UidSet
from whimbrel.protocols.imap import encode
from whimbrel.protocols.imap import folders as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.patterns import MailboxPattern
from whimbrel.services.imapd.session import Session, done, refusal

_USES = {use.value.lower(): use for use in SpecialUse}


async def create(session: Session, command: grammar.Create) -> Done:
    # A delimiter at the end says that names below are to follow: nothing that we need to know. RFC 3501 6.3.3
    name = command.mailbox.removesuffix(DELIMITER)
    uses = [_USES.get(use.lower()) for use in command.uses]
    if len(uses) > 1 or None in uses:
        return refusal(b"USEATTR", "Special use not supported")  # RFC 6154 3
    folders = session.ports.folders
    try:
        await folders.create(session.owner, name, uses[0] if uses else None)
    except MailboxError as error:
        if uses and error.condition is Condition.ALREADYEXISTS and await folders.find(session.owner, name) is None:
            return refusal(b"USEATTR", error.text)  # It is the use that another folder has already.
        raise
    return done(command)


async def delete(session: Session, command: grammar.Delete) -> Done:
    folder = await session.ports.folders.find(session.owner, command.mailbox)
    await session.ports.folders.delete(session.owner, command.mailbox)
    if folder is not None and session.selected is not None and session.selected.ref == folder.ref:
        session.leave()
    return done(command)


async def rename(session: Session, command: grammar.Rename) -> Done:
    await session.ports.folders.rename(session.owner, command.old, command.new.removesuffix(DELIMITER))
    if session.selected is not None:
        session.selected.hints.stale = True  # Renaming INBOX moves its messages away.
    return done(command)


async def subscribe(session: Session, command: grammar.Subscribe) -> Done:
    await session.ports.folders.subscribe(session.owner, command.mailbox, subscribed=command.subscribed)
    return done(command, text="Subscribe completed" if command.subscribed else "Unsubscribe completed")


# LIST and LSUB


def _line(kind: bytes, attributes: Iterable[str], name: str) -> bytes:
    return b'* %b (%b) "%b" %b\r\n' % (kind, " ".join(attributes).encode(), DELIMITER.encode(), encode.mailbox(name))


def parents(names: Iterable[str]) -> set[str]:
    """Every level above one of `names`."""
    found: set[str] = set()
    for name in names:
        at = name.rfind(DELIMITER)
        while at > 0 and name[:at] not in found:
            found.add(name[:at])
            at = name.rfind(DELIMITER, 0, at)
    return found


def attributes(folder: Folder, *, children: bool) -> list[str]:
    found = [] if folder.selectable else ["\\Noselect"]
    found.append("\\HasChildren" if children else "\\HasNoChildren")
    if folder.special_use is not None:
        found.append(f"\\{folder.special_use.value}")
    return found


async def list_(session: Session, command: grammar.List) -> Done:
    text = "Lsub completed" if command.subscribed else "List completed"
    if not command.pattern and not command.subscribed:
        # RFC 3501 6.3.8: asks for the delimiter and the root of the reference.
        root = DELIMITER if command.reference.startswith(DELIMITER) else ""
        await session.write(_line(b"LIST", ("\\Noselect",), root))
        return done(command, text=text)
    pattern = MailboxPattern(command.reference + command.pattern)
    lines = await (_subscribed(session, pattern) if command.subscribed else _listed(session, pattern))
    await session.write(b"".join(lines))
    return done(command, text=text)


async def _listed(session: Session, pattern: MailboxPattern) -> list[bytes]:
    folders = await session.ports.folders.list(session.owner)
    above = parents(folder.name for folder in folders)
    return [
        _line(b"LIST", attributes(folder, children=folder.name in above), folder.name)
        for folder in folders
        if pattern.matches(folder.name)
    ]


async def _subscribed(session: Session, pattern: MailboxPattern) -> list[bytes]:
    names = await session.ports.folders.subscriptions(session.owner)
    known = {folder.name: folder for folder in await session.ports.folders.list(session.owner)}
    matched = [name for name in names if pattern.matches(name)]
    lines = {}
    for name in matched:
        folder = known.get(name)
        lines[name] = _line(b"LSUB", () if folder is None or folder.selectable else ("\\Noselect",), name)
    # `%` that stops above a subscribed name shows the level it stopped at. RFC 3501 6.3.9
    for name in parents(names).difference(names):
        if pattern.matches(name):
            lines[name] = _line(b"LSUB", ("\\Noselect",), name)
    return [lines[name] for name in sorted(lines)]


# STATUS


async def _recent(session: Session, ref: FolderRef, status: FolderStatus) -> int:
    if status.first_recent >= status.uid_next:
        return 0
    return len(await session.ports.messages.flags(ref, UidSet([(max(1, status.first_recent), MAX_UID)])))


async def _value(value: int) -> int:
    return value


StatusItem = Callable[[Session, FolderRef, FolderStatus], Awaitable[int]]

STATUS_ITEMS: Mapping[bytes, StatusItem] = {
    b"MESSAGES": lambda _session, _ref, status: _value(status.messages),
    b"RECENT": _recent,
    b"UIDNEXT": lambda _session, _ref, status: _value(status.uid_next),
    b"UIDVALIDITY": lambda _session, _ref, status: _value(status.uid_validity),
    b"UNSEEN": lambda _session, _ref, status: _value(status.unseen),
}


async def status(session: Session, command: grammar.Status) -> Done:
    folder = await session.folder(command.mailbox)
    now = await session.ports.folders.status(folder.ref)
    values = [b"%b %d" % (item, await STATUS_ITEMS[item](session, folder.ref, now)) for item in command.items]
    await session.untagged(b"STATUS %b %b" % (encode.mailbox(folder.name), encode.parenthesised(values)))
    return done(command)


# The folders a new account gets

SPECIAL_FOLDERS: tuple[tuple[str, SpecialUse], ...] = (
    ("Drafts", SpecialUse.DRAFTS),
    ("Sent Items", SpecialUse.SENT),
    ("Deleted Items", SpecialUse.TRASH),
    ("Junk E-mail", SpecialUse.JUNK),
    ("Archive", SpecialUse.ARCHIVE),
)


async def furnish(session: Session) -> None:
    """Makes the special folders of an account that has only INBOX, and subscribes to all."""
    if not session.settings.special_folders:
        return
    folders = session.ports.folders
    present = await folders.list(session.owner)
    if len(present) > 1:
        return
    for name, use in SPECIAL_FOLDERS:
        try:
            await folders.create(session.owner, name, use)
        except MailboxError as error:
            if error.condition is not Condition.ALREADYEXISTS:
                raise
            continue  # Another session of the same user was faster.
        await folders.subscribe(session.owner, name, subscribed=True)
    for folder in present:
        await folders.subscribe(session.owner, folder.name, subscribed=True)


OFFER = Offer(
    handlers=dict(
        (
            serves(grammar.Create, create),
            serves(grammar.Delete, delete),
            serves(grammar.Rename, rename),
            serves(grammar.Subscribe, subscribe),
            serves(grammar.List, list_),
            serves(grammar.Status, status),
        )
    ),
    capabilities=(b"CHILDREN", b"SPECIAL-USE", b"CREATE-SPECIAL-USE"),
)
