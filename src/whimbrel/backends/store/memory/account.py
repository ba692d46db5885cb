"""One account in memory: its folder tree, subscriptions and modseqs. Nothing here awaits.

Standards: RFC 9051 5.1 (names), 6.3.4-6.3.8 (CREATE, DELETE, RENAME, SUBSCRIBE), RFC 8474 4 (MAILBOXID)
"""

import secrets
from collections.abc import Callable

from whimbrel.backends.store.memory.folder import MemoryFolder
from whimbrel.backends.store.names import MAX_DEPTH, MAX_SUBSCRIPTIONS, canonical
from whimbrel.core.clock import Clock
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, INBOX, AccountId, Folder, FolderRef, MailboxId, SpecialUse
from whimbrel.core.uids import ALL

MAX_FOLDERS = 10_000


class MemoryAccount:
    def __init__(self, account: AccountId, clock: Clock, validity: Callable[[], int]) -> None:
        self._account, self._clock, self._validity = account, clock, validity
        self._last_modseq = 0
        self._by_name: dict[str, MemoryFolder] = {}
        self._by_id: dict[MailboxId, MemoryFolder] = {}
        self._subscribed: set[str] = set()
        self.annotations: dict[str, bytes] = {}
        self.deleted_folders: list[tuple[int, MemoryFolder]] = []
        """Deleted folders: when, and what they were."""
        self._add(INBOX, None)

    def renamed(self, account: AccountId) -> None:
        """The whole mailbox is that of another name now."""
        self._account = account

    def modseq(self) -> int:
        """The next one of this account: never the same twice, in any folder."""
        self._last_modseq = max(self._last_modseq + 1, int(self._clock.now() * 1_000_000))
        return self._last_modseq

    # Reading

    def folders(self) -> list[Folder]:
        ordered = sorted(self._by_name.values(), key=lambda each: (each.name != INBOX, each.name.casefold(), each.name))
        return [self._shown(each) for each in ordered]

    def all(self) -> list[MemoryFolder]:
        return list(self._by_name.values())

    def find(self, name: str) -> Folder | None:
        try:
            folder = self._by_name.get(canonical(name))
        except MailboxError:
            return None  # A name that no folder can have.
        return self._shown(folder) if folder is not None else None

    def open(self, mailbox: MailboxId) -> MemoryFolder:
        """MailboxError NONEXISTENT for a folder that is gone or has no messages of its own."""
        folder = self._by_id.get(mailbox)
        if folder is None or not folder.selectable:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        return folder

    def subscriptions(self) -> list[str]:
        return sorted(self._subscribed)

    def _shown(self, folder: MemoryFolder) -> Folder:
        return Folder(
            FolderRef(self._account, folder.mailbox),
            folder.name,
            folder.special_use,
            subscribed=folder.name in self._subscribed,
            selectable=folder.selectable,
        )

    def _below(self, name: str) -> list[MemoryFolder]:
        prefix = name + DELIMITER
        return [each for each in self._by_name.values() if each.name.startswith(prefix)]

    def _named(self, name: str) -> MemoryFolder:
        folder = self._by_name.get(canonical(name))
        if folder is None:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        return folder

    # Changing

    def create(self, name: str, special_use: SpecialUse | None) -> Folder:
        name = canonical(name)
        present = self._by_name.get(name)
        if present is not None:
            if present.selectable:
                raise MailboxError(Condition.ALREADYEXISTS, "That folder exists")
            # A new folder where only a level was: another MAILBOXID, another UIDVALIDITY. RFC 8474 4
            self._forget(present)
        self._add_above(name, adding=1)
        return self._shown(self._add(name, special_use))

    def delete(self, name: str) -> None:
        folder = self._named(name)
        if folder.name == INBOX:
            raise MailboxError(Condition.CANNOT, "INBOX cannot be deleted")
        below = self._below(folder.name)
        if below and not folder.selectable:
            # RFC 9051 6.3.5
            raise MailboxError(Condition.CANNOT, "There are folders below it")
        self._forget(folder)
        if folder.selectable:
            self.deleted_folders.append((int(self._clock.now()), folder))
        if below:
            self._add(folder.name, None).selectable = False

    def revive(self, folder: MemoryFolder, name: str) -> None:
        """A deleted folder comes back as it was, under `name`. ALREADYEXISTS, LIMIT."""
        present = self._by_name.get(name)
        if present is not None:
            if present.selectable:
                raise MailboxError(Condition.ALREADYEXISTS, f"A folder {name} is in use; give another name")
            self._forget(present)
        self._add_above(name, adding=1)
        folder.name = name
        folder.highest_modseq = self.modseq()
        if any(each.special_use is folder.special_use for each in self._by_name.values()):
            folder.special_use = None
        self._by_name[name] = self._by_id[folder.mailbox] = folder

    def rename(self, old: str, new: str) -> list[MailboxId]:
        """The folders whose messages changed: none, or the two of a renamed INBOX."""
        folder, new = self._named(old), canonical(new)
        if new in self._by_name:
            raise MailboxError(Condition.ALREADYEXISTS, "That folder exists")
        if folder.name == INBOX:
            return self._empty_inbox(folder, new)
        if new.startswith(folder.name + DELIMITER):
            raise MailboxError(Condition.CANNOT, "A folder cannot go below itself")
        moved = [folder, *self._below(folder.name)]
        names = [_checked(new + each.name[len(folder.name) :]) for each in moved]
        self._add_above(new, adding=0)
        for each in moved:
            del self._by_name[each.name]
        for each, name in zip(moved, names, strict=True):
            each.name = name
            self._by_name[name] = each
        return []

    def subscribe(self, name: str, *, subscribed: bool) -> bool:
        """True if that changed something."""
        name = canonical(name)
        if (name in self._subscribed) == subscribed:
            return False
        if subscribed:
            if len(self._subscribed) >= MAX_SUBSCRIPTIONS:
                raise MailboxError(Condition.LIMIT, f"An account has {MAX_SUBSCRIPTIONS} subscriptions at most")
            self._subscribed.add(name)
        else:
            self._subscribed.remove(name)
        return True

    def _empty_inbox(self, inbox: MemoryFolder, new: str) -> list[MailboxId]:
        """RFC 9051 6.3.6: its messages move, it stays, and so do the folders below it."""
        self._add_above(new, adding=1)
        target = self._add(new, None)
        modseq, now = self.modseq(), int(self._clock.now())
        target.add_copies(list(inbox.messages.values()), modseq, now)
        inbox.expunge(ALL, modseq, now, marked_only=False, moved=True)
        return [inbox.mailbox, target.mailbox]

    def _add_above(self, name: str, *, adding: int) -> None:
        """Makes the levels above `name` that do not exist, from the top. LIMIT if they and `adding` are too many."""
        levels = name.split(DELIMITER)
        paths = [DELIMITER.join(levels[:count]) for count in range(1, len(levels))]
        missing = [path for path in paths if path not in self._by_name]
        if len(self._by_name) + len(missing) + adding > MAX_FOLDERS:
            raise MailboxError(Condition.LIMIT, f"An account has {MAX_FOLDERS} folders at most")
        for path in missing:
            self._add(path, None)

    def _add(self, name: str, special_use: SpecialUse | None) -> MemoryFolder:
        mailbox = MailboxId("F" + secrets.token_hex(16))
        folder = MemoryFolder(mailbox, name, special_use, self._validity(), self.modseq())
        self._by_name[name] = self._by_id[mailbox] = folder
        return folder

    def _forget(self, folder: MemoryFolder) -> None:
        del self._by_name[folder.name]
        del self._by_id[folder.mailbox]


def _checked(name: str) -> str:
    """MailboxError LIMIT if a renamed tree would go too deep."""
    if name.count(DELIMITER) >= MAX_DEPTH:
        raise MailboxError(Condition.LIMIT, f"Folders go {MAX_DEPTH} levels deep at most")
    return name
