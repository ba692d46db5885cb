r"""Handler of NOTIFY, and what it watches: the selected mailbox, other mailboxes, the list of them.

Hints say which mailbox may have changed; what has, its counters tell. What nobody waits for is not kept: for each
watched mailbox three numbers and its name, and one for each of its annotations if those are watched.

Standards: RFC 5465 3 (NOTIFY), 4 (interaction), 5 (events), 6 (mailboxes), 7 (BADEVENT, NOTIFICATIONOVERFLOW)
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import DELIMITER, INBOX, Folder, FolderStatus, MailboxId, SpecialUse
from whimbrel.protocols.imap import notify as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.fetch import BodySection
from whimbrel.protocols.imap.notify import OF_MESSAGES, SELECTED_ONES, SERVED, Event, Group, Where
from whimbrel.services.imapd.fetch import answer
from whimbrel.services.imapd.noted import Noted
from whimbrel.services.imapd.noted import response as metadata
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done, refusal

MAX_WATCHED = 2_000
"""Mailboxes of one session; with more, notifications end with NOTIFICATIONOVERFLOW. RFC 5465 7"""

Counts = tuple[int, int, int, int]
"""Messages, UIDNEXT, unseen, highest modseq."""


class Watch:
    """One session's NOTIFY SET. Has the shape of `session.Observer`."""

    __slots__ = ("_changed", "_counts", "_end", "_groups", "_listed", "_noted", "_relisted", "_selected", "_session")

    def __init__(self, session: Session, groups: Sequence[Group]) -> None:
        self._session = session
        self._selected = next((group for group in groups if group.where in SELECTED_ONES), None)
        self._groups = tuple(group for group in groups if group.where not in SELECTED_ONES)
        self._changed: set[MailboxId] = set()
        self._relisted = False
        self._listed: dict[MailboxId, Folder] = {}
        self._counts: dict[MailboxId, Counts] = {}
        self._noted = Noted(session.ports.folders, session.owner)
        self._end = session.ports.changes.watch(session.owner, self._heard) if self._groups else None

    # What the session asks of it

    @property
    def flags(self) -> bool:
        group = self._selected
        return group is None or Event.FLAG_CHANGE in group.events

    def close(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    async def push(self) -> None:
        """RFC 5465 6.1, 6.2: numbers change at any time, or (delayed) only while a command allows it."""
        group = self._selected
        if group is not None and group.events:
            await self._session.sync(expunge=group.where is Where.SELECTED)
        await self.tell()

    async def arrived(self, uids: Sequence[int]) -> None:
        group = self._selected
        if group is not None and group.items:
            # Nobody has read them: \Seen stays as it is.
            items = [replace(item, peek=True) if isinstance(item, BodySection) else item for item in group.items]
            await answer(self._session, list(uids), items)

    async def tell(self) -> None:
        if self._relisted:
            self._relisted = False
            await self._tell_list()
            if names := await self._noted.changed(None):
                await self._session.untagged(metadata(b'""', names))
        changed, self._changed = self._changed, set()
        for mailbox in sorted(changed):
            folder = self._listed.get(mailbox)
            if folder is None:
                continue
            if folder.selectable:
                await self._tell_counts(folder)
            await self._tell_annotations(folder)

    # Inside

    def _heard(self, mailbox: MailboxId | None) -> None:
        if mailbox is None:
            self._relisted = True
        elif mailbox in self._counts or mailbox in self._noted or mailbox not in self._listed:
            self._changed.add(mailbox)
            if mailbox not in self._listed:
                self._relisted = True
        else:
            return
        self._session.connection.wake()

    async def begin(self, *, status: bool) -> bool:
        """Learns how things are; `status`: says it, too. False: there are too many mailboxes."""
        folders = await self._session.ports.folders.list(self._session.owner)
        self._listed = {folder.ref.mailbox: folder for folder in folders}
        if len(folders) > MAX_WATCHED:
            return False
        if any(Event.SERVER_METADATA_CHANGE in group.events for group in self._groups):
            await self._noted.learn(None)
        for folder in folders:
            if Event.MAILBOX_METADATA_CHANGE in self._events(folder):
                await self._noted.learn(folder.ref.mailbox)
            events = self._events(folder) & OF_MESSAGES
            if not events or not folder.selectable:
                continue
            now = await self._session.ports.folders.status(folder.ref)
            self._counts[folder.ref.mailbox] = _counts(now)
            if status and not self._is_selected(folder):
                await self._status(folder, now, events)
        return True

    def _is_selected(self, folder: Folder) -> bool:
        view = self._session.selected
        return view is not None and view.ref == folder.ref

    def _events(self, folder: Folder) -> frozenset[Event]:
        """Of the first group that names the folder. RFC 5465 3.1"""
        for group in self._groups:
            if _names(group, folder):
                return group.events
        return frozenset()

    async def _tell_counts(self, folder: Folder) -> None:
        events, mailbox = self._events(folder) & OF_MESSAGES, folder.ref.mailbox
        if not events:
            return
        try:
            now = await self._session.ports.folders.status(folder.ref)
        except MailboxError:
            return  # Gone meanwhile: the list tells.
        before, after = self._counts.get(mailbox), _counts(now)
        self._counts[mailbox] = after
        if before == after or self._is_selected(folder):
            return
        # New or gone messages always count; of changed flags only those hear who asked.
        if before is None or before[:2] != after[:2] or Event.FLAG_CHANGE in events:
            await self._status(folder, now, events)

    async def _tell_annotations(self, folder: Folder) -> None:
        """RFC 5465 5.6: their names; the values are asked for by whoever wants them."""
        mailbox = folder.ref.mailbox
        try:
            if Event.MAILBOX_METADATA_CHANGE in self._events(folder) and mailbox not in self._noted:
                await self._noted.learn(mailbox)  # A new one.
            names = await self._noted.changed(mailbox)
        except MailboxError:
            return  # Gone meanwhile: the list tells.
        if names:
            await self._session.untagged(metadata(self._session.mailbox(folder.name), names))

    async def _status(self, folder: Folder, now: FolderStatus, events: frozenset[Event]) -> None:
        """RFC 5465 5.1-5.3: counters for new and gone messages, UNSEEN and the modseq for flags."""
        items = [b"MESSAGES %d UIDNEXT %d UIDVALIDITY %d" % (now.messages, now.uid_next, now.uid_validity)]
        if Event.FLAG_CHANGE in events:
            items.append(b"UNSEEN %d" % now.unseen)
        if self._session.mode.condstore:
            items.append(b"HIGHESTMODSEQ %d" % now.highest_modseq)
        await self._session.untagged(b"STATUS %b (%b)" % (self._session.mailbox(folder.name), b" ".join(items)))

    async def _tell_list(self) -> None:
        """RFC 5465 5.4, 5.5: mailboxes made, renamed and deleted, subscriptions."""
        folders = await self._session.ports.folders.list(self._session.owner)
        if len(folders) > MAX_WATCHED:
            await self._overflow()
            return
        before, self._listed = self._listed, {folder.ref.mailbox: folder for folder in folders}
        for folder in folders:
            old, events = before.get(folder.ref.mailbox), self._events(folder)
            if old is None:
                self._changed.add(folder.ref.mailbox)
                if Event.MAILBOX_NAME in events:
                    await self._list(folder)
            elif old.name != folder.name:
                if Event.MAILBOX_NAME in events | self._events(old):
                    await self._list(folder, b' ("OLDNAME" (%b))' % self._session.mailbox(old.name))
            elif old.subscribed != folder.subscribed and Event.SUBSCRIPTION_CHANGE in events | self._events(old):
                await self._list(folder)
        for mailbox, old in before.items():
            if mailbox not in self._listed:
                self._counts.pop(mailbox, None)
                self._noted.forget(mailbox)
                if Event.MAILBOX_NAME in self._events(old):
                    await self._list(old, gone=True)

    async def _list(self, folder: Folder, extra: bytes = b"", *, gone: bool = False) -> None:
        attributes = list(_attributes(folder, gone=gone))
        await self._session.untagged(
            b'LIST (%b) "%b" %b%b'
            % (" ".join(attributes).encode(), DELIMITER.encode(), self._session.mailbox(folder.name), extra)
        )

    async def _overflow(self) -> None:
        """RFC 5465 7: as if NOTIFY NONE had been said."""
        self.close()
        self._session.observer = None
        await self._session.untagged(b"OK [NOTIFICATIONOVERFLOW] Too many mailboxes to watch")


def _counts(status: FolderStatus) -> Counts:
    return status.messages, status.uid_next, status.unseen, status.highest_modseq


def _attributes(folder: Folder, *, gone: bool) -> Iterable[str]:
    if gone:
        yield "\\NonExistent"
        return
    if not folder.selectable:
        yield "\\Noselect"
    if folder.subscribed:
        yield "\\Subscribed"
    if folder.special_use is not None:
        yield f"\\{folder.special_use.value}"


def _names(group: Group, folder: Folder) -> bool:
    where, name = group.where, folder.name
    if where is Where.PERSONAL:
        return True
    if where is Where.INBOXES:
        return name == INBOX or folder.special_use is SpecialUse.JUNK  # Where deliveries go.
    if where is Where.SUBSCRIBED:
        return folder.subscribed
    for one in group.mailboxes:
        if name == _spelled(one) or (where is Where.SUBTREE and name.startswith(_spelled(one) + DELIMITER)):
            return True
    return False


def _spelled(name: str) -> str:
    return INBOX if name.upper() == INBOX else name


async def notify(session: Session, command: grammar.Notify) -> Done:
    asked = frozenset[Event]().union(*(group.events for group in command.groups or ()))
    if not asked <= SERVED:
        known = b" ".join(_WORDS[event] for event in Event if event in SERVED)
        return refusal(b"BADEVENT (%b)" % known, "Some of these events are not told here")
    if session.observer is not None:
        session.observer.close()
        session.observer = None
    view = session.selected
    if command.groups is None:
        if view is not None:
            view.hints.wake = None
        return done(command)
    # Not counted as told before: what changed until now is told by the old rules.
    await session.sync(expunge=True, always=True)
    watch = Watch(session, command.groups)
    try:
        if not await watch.begin(status=command.status):
            watch.close()
            return refusal(b"NOTIFICATIONOVERFLOW", "Too many mailboxes to watch")
    except BaseException:
        watch.close()
        raise
    session.observer = watch
    if view is not None:
        view.hints.wake = session.connection.wake
    return done(command)


_WORDS = {
    Event.MESSAGE_NEW: b"MessageNew",
    Event.MESSAGE_EXPUNGE: b"MessageExpunge",
    Event.FLAG_CHANGE: b"FlagChange",
    Event.MAILBOX_NAME: b"MailboxName",
    Event.SUBSCRIPTION_CHANGE: b"SubscriptionChange",
    Event.MAILBOX_METADATA_CHANGE: b"MailboxMetadataChange",
    Event.SERVER_METADATA_CHANGE: b"ServerMetadataChange",
}

OFFER = Offer(handlers=dict((serves(grammar.Notify, notify),)), capabilities=(b"NOTIFY",))
