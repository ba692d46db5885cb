"""The port Undelete over the store in memory."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from whimbrel.backends.store.memory.folder import Gone, MemoryFolder
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.backends.store.names import canonical
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELETED, AccountId
from whimbrel.core.undelete import MAX_PAGE, Chosen, DeletedFolder, DeletedMessage, Page, Tally
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.structure.mime import FROM, SUBJECT, parse


class MemoryUndelete:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store

    async def messages(
        self, account: AccountId, chosen: Chosen = Chosen(), *, after: str = "", limit: int = 100
    ) -> Page:
        ordered = sorted(self._chosen(account, chosen), key=_order, reverse=True)
        names = [_id(folder, gone) for folder, gone in ordered]
        if after and after not in names:
            raise MailboxError(Condition.NONEXISTENT, f"{after} names no page")
        start = names.index(after) + 1 if after else 0
        limit = max(1, min(limit, MAX_PAGE))
        shown = tuple(_shown(folder, gone) for folder, gone in ordered[start : start + limit])
        return Page(shown, names[start + limit - 1] if start + limit < len(ordered) else "")

    async def count(self, account: AccountId, chosen: Chosen) -> Tally:
        sizes = [gone.message.stored.size for _, gone in self._chosen(account, chosen)]
        return Tally(len(sizes), sum(sizes))

    async def restore(self, account: AccountId, chosen: Chosen, target: str = "") -> Tally:
        held = self._store.account(account)
        if target and await self._store.find(account, target) is None:
            await self._store.create(account, target)
        into = await self._store.find(account, target) if target else None
        ordered = sorted(self._chosen(account, chosen), key=lambda each: each[1].message.uid)
        for folder, gone in ordered:
            message = gone.message
            (held.open(into.ref.mailbox) if into else folder).add(
                message.stored,
                held.modseq(),
                flags=message.flags & ~DELETED,
                keywords=message.keywords,
                date=message.internal_date,
                saved=self._store.now(),
            )
            gone.kept = False
        if ordered:
            self._store.hint(account, *{into.ref.mailbox if into else folder.mailbox for folder, _ in ordered})
        return Tally(len(ordered), sum(gone.message.stored.size for _, gone in ordered))

    async def purge(self, account: AccountId, chosen: Chosen) -> Tally:
        tally = await self.count(account, chosen)
        for _, gone in list(self._chosen(account, chosen)):
            gone.kept = False
        return tally

    async def folders(self, account: AccountId) -> Sequence[DeletedFolder]:
        deleted = self._store.account(account).deleted_folders
        return [
            DeletedFolder(folder.mailbox, folder.name, at, len(folder.messages), folder.size)
            for at, folder in sorted(deleted, key=lambda entry: (-entry[0], entry[1].name))
        ]

    async def restore_folder(self, account: AccountId, id: str, name: str = "") -> Sequence[str]:
        held, first = self._store.account(account), self._deleted_folder(account, id)[1]
        chosen = {first.name: first}
        for _, folder in sorted(held.deleted_folders, key=lambda entry: -entry[0]):
            if folder.name.startswith(first.name + "/"):
                chosen.setdefault(folder.name, folder)
        base = canonical(name) if name else first.name
        renamed = [(canonical(base + old[len(first.name) :]), chosen[old]) for old in sorted(chosen)]
        for new, _ in renamed:
            present = held.find(new)
            if present is not None and present.selectable:
                raise MailboxError(Condition.ALREADYEXISTS, f"A folder {new} is in use; give another name")
        for new, folder in renamed:
            held.revive(folder, new)
        back = {folder.mailbox for folder in chosen.values()}
        held.deleted_folders = [entry for entry in held.deleted_folders if entry[1].mailbox not in back]
        self._store.hint(account, None)
        return [new for new, _ in renamed]

    async def purge_folder(self, account: AccountId, id: str) -> Tally:
        entry = self._deleted_folder(account, id)
        self._store.account(account).deleted_folders.remove(entry)
        return Tally(len(entry[1].messages), entry[1].size)

    def _deleted_folder(self, account: AccountId, id: str) -> tuple[int, MemoryFolder]:
        for entry in self._store.account(account).deleted_folders:
            if entry[1].mailbox == id:
                return entry
        raise MailboxError(Condition.NONEXISTENT, f"{account} has no deleted folder {id}")

    def _chosen(self, account: AccountId, chosen: Chosen) -> Iterator[tuple[MemoryFolder, Gone]]:
        if len(chosen.ids) > MAX_PAGE:
            raise MailboxError(Condition.LIMIT, f"At most {MAX_PAGE} messages are named at once")
        for folder in self._store.account(account).all():
            for gone in folder.gone.values():
                scanned, text = gone.message.stored.scanned, chosen.text.casefold()
                if (
                    gone.kept
                    and not gone.moved
                    and folder.selectable
                    and (not chosen.ids or _id(folder, gone) in chosen.ids)
                    and (not chosen.folder or folder.name == canonical(chosen.folder))
                    and (chosen.since is None or gone.at >= chosen.since)
                    and (chosen.until is None or gone.at < chosen.until)
                    and (text in scanned.from_ or text in scanned.subject)
                ):
                    yield folder, gone


def _id(folder: MemoryFolder, gone: Gone) -> str:
    return f"{folder.mailbox}.{gone.message.uid:x}"


def _order(pair: tuple[MemoryFolder, Gone]) -> tuple[int, str, int]:
    folder, gone = pair
    return gone.at, folder.mailbox, gone.message.uid


def _shown(folder: MemoryFolder, gone: Gone) -> DeletedMessage:
    m, fields = gone.message, parse(gone.message.stored.content).fields
    sender, subject = words(fields[FROM] or b""), words(fields[SUBJECT] or b"")
    return DeletedMessage(
        _id(folder, gone), folder.name, gone.at, m.internal_date, m.stored.size, m.flags, m.keywords,
        m.stored.email_id, sender[:1000], subject[:1000],
    )  # fmt: skip


if TYPE_CHECKING:
    from whimbrel.core.undelete import Undelete

    def _port(undelete: MemoryUndelete) -> None:
        _1: Undelete = undelete
