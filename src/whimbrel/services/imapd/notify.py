r"""Handler of NOTIFY, and what it watches: the selected mailbox, other mailboxes, the list of them.

Hints say which mailbox may have changed; what has, its counters tell. What nobody waits for is not kept: for each
watched mailbox five numbers and its name, and one for each of its annotations if those are watched.

Standards: RFC 5465 3 (NOTIFY), 4 (IDLE), 5 (events, NOTIFICATIONOVERFLOW), 6 (mailboxes)
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import DELIMITER, FolderStatus, MailboxId
from whimbrel.protocols.imap import metadata, responses
from whimbrel.protocols.imap import notify as grammar
from whimbrel.protocols.imap.engine import Done
from whimbrel.protocols.imap.fetch import BodySection
from whimbrel.protocols.imap.notify import OF_MESSAGES, SELECTED_ONES, Event, Group, Where
from whimbrel.services.imapd.fetch import answer
from whimbrel.services.imapd.listing import attributes, parents
from whimbrel.services.imapd.named import below, delivered_to, spelled
from whimbrel.services.imapd.noted import Noted
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done, refusal
from whimbrel.services.session.namespaces import Kind, Mailbox

MAX_WATCHED = 2_000
"""Mailboxes of one session; with more, notifications end with NOTIFICATIONOVERFLOW. RFC 5465 5.8"""

Counts = tuple[int, int, int, int, int]
"""UIDVALIDITY (RFC 5465 5.1), messages, UIDNEXT, unseen, highest modseq."""


class Watch:
    """One session's NOTIFY SET. Has the shape of `session.Observer`."""

    __slots__ = ("_changed", "_counts", "_end", "_groups", "_listed", "_noted", "_relisted", "_selected", "_session")

    def __init__(self, session: Session, groups: Sequence[Group]) -> None:
        self._session = session
        self._selected = next((group for group in groups if group.where in SELECTED_ONES), None)
        self._groups = tuple(group for group in groups if group.where not in SELECTED_ONES)
        self._changed: set[MailboxId] = set()
        self._relisted = False
        self._listed: dict[MailboxId, Mailbox] = {}
        self._counts: dict[MailboxId, Counts] = {}
        self._noted = Noted(session.mailboxes)
        self._end = session.mailboxes.watch(session.ports.changes, self._heard) if self._groups else None

    # What the session asks of it

    @property
    def silent(self) -> bool:
        """RFC 5465 3.1: not to name the selected mailbox is to name it with NONE; NOTIFY NONE is the same."""
        return self._selected is None or not self._selected.events

    @property
    def flags(self) -> bool:
        return self._selected is not None and Event.FLAG_CHANGE in self._selected.events

    def close(self) -> None:
        if self._end is not None:
            self._end()
            self._end = None

    async def push(self) -> None:
        """RFC 5465 6.1, 6.2: numbers change at any time, or (delayed) only while a command allows it."""
        group = self._selected
        if group is not None and group.events:
            await self._session.sync(expunge=group.where is Where.SELECTED)
        await self.report()

    async def arrived(self, uids: Sequence[int]) -> None:
        group = self._selected
        if group is not None and group.items:
            # Nobody has read them: \Seen stays as it is.
            items = [replace(item, peek=True) if isinstance(item, BodySection) else item for item in group.items]
            await answer(self._session, list(uids), items)

    # RFC 5465 5: not done, what a client did itself to other mailboxes and to the list of them is reported to it, too.
    async def report(self) -> None:
        if self._relisted:
            self._relisted = False
            await self._report_list()
            if names := await self._noted.changed(None):
                await self._session.untagged(metadata.changed(b'""', names))
        changed, self._changed = self._changed, set()
        for mailbox in sorted(changed):
            folder = self._listed.get(mailbox)
            if folder is None:
                continue
            if folder.selectable:
                await self._report_counts(folder)
            await self._report_annotations(folder)

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
        if not self._groups:
            return True
        folders = await self._session.mailboxes.list()
        self._listed = {folder.ref.mailbox: folder for folder in folders}
        if len(folders) > MAX_WATCHED:
            return False
        if any(Event.SERVER_METADATA_CHANGE in group.events for group in self._groups):
            await self._noted.learn(None)
        for folder in folders:
            if Event.MAILBOX_METADATA_CHANGE in self._events(folder):
                await self._noted.learn(folder)
            events = self._events(folder) & OF_MESSAGES
            if not events or not folder.selectable:
                continue
            now = await self._session.ports.folders.status(folder.ref)
            self._counts[folder.ref.mailbox] = _counts(now)
            if status and not self._is_selected(folder):
                await self._status(folder, now, events)
        return True

    def _is_selected(self, folder: Mailbox) -> bool:
        view = self._session.selected
        return view is not None and view.ref == folder.ref

    def _events(self, folder: Mailbox) -> frozenset[Event]:
        """Of all groups that name the folder. RFC 5465 6"""
        return frozenset[Event]().union(*(group.events for group in self._groups if _names(group, folder)))

    async def _report_counts(self, folder: Mailbox) -> None:
        events, mailbox = self._events(folder) & OF_MESSAGES, folder.ref.mailbox
        if not events:
            return
        try:
            now = await self._session.ports.folders.status(folder.ref)
        except MailboxError:
            return  # Gone meanwhile: the list says so.
        before, after = self._counts.get(mailbox), _counts(now)
        self._counts[mailbox] = after
        if before == after or self._is_selected(folder):
            return
        # New or gone messages always count, and so do new UIDs; of changed flags only those hear who asked.
        if before is None or before[:3] != after[:3] or Event.FLAG_CHANGE in events:
            await self._status(folder, now, events)

    async def _report_annotations(self, folder: Mailbox) -> None:
        """RFC 5465 5.6: their names; the values are asked for by whoever wants them."""
        mailbox = folder.ref.mailbox
        try:
            if Event.MAILBOX_METADATA_CHANGE in self._events(folder) and mailbox not in self._noted:
                await self._noted.learn(folder)  # A new one.
            names = await self._noted.changed(folder)
        except MailboxError:
            return  # Gone meanwhile: the list says so.
        if names:
            await self._session.untagged(metadata.changed(self._session.mailbox(folder.name), names))

    async def _status(self, folder: Mailbox, now: FolderStatus, events: frozenset[Event]) -> None:
        """RFC 5465 3.1, 5.1-5.3: counters for new and gone messages, UNSEEN and the modseq for flags."""
        items = [(b"MESSAGES", now.messages), (b"UIDNEXT", now.uid_next), (b"UIDVALIDITY", now.uid_validity)]
        if Event.FLAG_CHANGE in events:
            items.append((b"UNSEEN", now.unseen))
        if self._session.mode.condstore or Event.FLAG_CHANGE in events:
            items.append((b"HIGHESTMODSEQ", now.highest_modseq))
        await self._session.untagged(responses.status(self._session.mailbox(folder.name), items))

    async def _report_list(self) -> None:
        """RFC 5465 5.4, 5.5: mailboxes made, renamed and deleted, subscriptions."""
        folders = await self._session.mailboxes.list()
        if len(folders) > MAX_WATCHED:
            await self._overflow()
            return
        before, self._listed = self._listed, {folder.ref.mailbox: folder for folder in folders}
        gone = [old for mailbox, old in before.items() if mailbox not in self._listed]
        made = [folder for folder in folders if folder.ref.mailbox not in before]
        above = parents(folder.name for folder in folders)
        # A mailbox has one more below it, or one less: its attributes may be others.
        affected = {folder.name.rpartition(DELIMITER)[0] for folder in (*gone, *made)}
        moved = {old.name: folder.name for folder in folders if (old := before.get(folder.ref.mailbox))}
        for folder in folders:
            old, events = before.get(folder.ref.mailbox), self._events(folder)
            extra = b""
            if old is None:
                self._changed.add(folder.ref.mailbox)
                reported = Event.MAILBOX_NAME in events
            else:
                events |= self._events(old)
                subscription = old.subscribed != folder.subscribed and Event.SUBSCRIPTION_CHANGE in events
                if old.name != folder.name:
                    extra = responses.old_name(self._session.mailbox(old.name))
                    named = not _follows(old.name, folder.name, moved)
                else:
                    named = folder.name in affected or old.selectable != folder.selectable
                reported = subscription or (named and Event.MAILBOX_NAME in events)
            if reported:
                await self._list(folder.name, _attributes(folder, children=folder.name in above), extra)
        for old in gone:
            self._counts.pop(old.ref.mailbox, None)
            self._noted.forget(old.ref.mailbox)
            if Event.MAILBOX_NAME in self._events(old):
                await self._list(old.name, ("\\NonExistent",))

    async def _list(self, name: str, attributes: Iterable[str], extra: bytes = b"") -> None:
        await self._session.untagged(responses.listed(b"LIST", attributes, self._session.mailbox(name), extra))

    async def _overflow(self) -> None:
        """RFC 5465 5.8: as if NOTIFY NONE had been said."""
        self.close()
        self._session.observer = Watch(self._session, ())
        await self._session.untagged(responses.ok(b"NOTIFICATIONOVERFLOW", "Too many mailboxes to watch"))


def _counts(status: FolderStatus) -> Counts:
    return status.uid_validity, status.messages, status.uid_next, status.unseen, status.highest_modseq


def _attributes(folder: Mailbox, *, children: bool) -> list[str]:
    words = attributes(folder, children=children)
    return [*words, "\\Subscribed"] if folder.subscribed else words


def _follows(old: str, new: str, moved: Mapping[str, str]) -> bool:
    """It only came along when the mailbox above it was renamed: nothing is reported. RFC 5465 5.4"""
    before, _, last = old.rpartition(DELIMITER)
    now, _, same = new.rpartition(DELIMITER)
    return last == same and before != now and moved.get(before) == now


def _names(group: Group, folder: Mailbox) -> bool:
    where = group.where
    if where is Where.INBOXES:
        return delivered_to(folder)
    if where is Where.SUBSCRIBED:
        return folder.subscribed
    if where is Where.MAILBOXES:
        return folder.name in map(spelled, group.mailboxes)
    if where is Where.PERSONAL:
        return folder.kind is Kind.PERSONAL
    return below(folder.name, group.mailboxes)


async def notify(session: Session, command: grammar.Notify) -> Done:
    before, view = session.observer, session.selected
    watch = Watch(session, command.groups or ())
    try:
        if command.groups is not None:
            # RFC 5465 3.1: whatever was asked for before, all that has changed until now is reported.
            session.observer = None
            await session.sync(expunge=True, always=True)
        if not await watch.begin(status=command.status):
            watch.close()
            return refusal(b"NOTIFICATIONOVERFLOW", "Too many mailboxes to watch")
    except BaseException:
        watch.close()
        raise
    finally:
        session.observer = before
    if before is not None:
        before.close()
    session.observer = watch
    if view is not None:
        view.hints.wake = None if watch.silent else session.connection.wake
    return done(command)


OFFER = Offer(handlers=dict((serves(grammar.Notify, notify),)), capabilities=(b"NOTIFY",))
