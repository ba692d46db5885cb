"""The jobs on an account's folder tree: create, delete, rename, subscriptions, annotations."""

import contextlib
import os
from collections.abc import Mapping

from whimbrel.backends.store.disk.batch import AccountJob, Batch
from whimbrel.backends.store.disk.deleted_folders import move_to_deleted
from whimbrel.backends.store.disk.tree import Entry
from whimbrel.backends.store.names import MAX_SUBSCRIPTIONS, canonical, check_annotations, parent
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import INBOX, MailboxId, SpecialUse

MAX_FOLDERS = 10_000


class CreateJob(AccountJob):
    __slots__ = ("name", "special_use")

    def __init__(self, name: str, special_use: SpecialUse | None) -> None:
        super().__init__()
        self.name, self.special_use = canonical(name), special_use

    def run(self, batch: Batch) -> Entry:
        batch.commit()
        tree = batch.account.tree
        entry = tree.named(self.name)
        if entry is not None and entry.selectable:
            raise MailboxError(Condition.ALREADYEXISTS, "A folder of this name exists")
        if len(tree.entries()) >= MAX_FOLDERS:
            raise MailboxError(Condition.LIMIT, f"An account has {MAX_FOLDERS} folders at most")
        if self.special_use and any(entry.special_use is self.special_use for entry in tree.entries()):
            raise MailboxError(Condition.ALREADYEXISTS, f"There is a folder for {self.special_use.value} already")
        tree.check_length(self.name)
        batch.folders_changed = True
        if entry is not None:
            (batch.account.root / entry.path / "#msgs").mkdir(mode=0o700, exist_ok=True)
            return tree.change(entry, selectable=True, special_use=self.special_use)
        levels, name = self.name.split("/"), ""
        for level in levels[:-1]:
            name = f"{name}/{level}" if name else level
            if tree.named(name) is None:
                tree.add(name, None)
        batch.touched.directories.add(str(batch.account.root))
        return tree.add(self.name, self.special_use)


class DeleteJob(AccountJob):
    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = canonical(name)

    def run(self, batch: Batch) -> Entry:
        batch.commit()
        account, tree = batch.account, batch.account.tree
        entry = tree.named(self.name)
        if self.name == INBOX:
            raise MailboxError(Condition.CANNOT, "INBOX cannot be deleted")
        if entry is None:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        children = tree.below(self.name)
        if not entry.selectable and children:
            raise MailboxError(Condition.CANNOT, "There are folders below it")
        batch.folders_changed = True
        account.forget(entry.mailbox)
        folder = account.root / entry.path
        move_to_deleted(account.root, folder, entry.mailbox)
        batch.touched.directories.update((str(folder.parent), str(account.root / "#deleted")))
        account.seq.remove(entry.key)
        tree.remove(entry)
        if children:
            tree.keep_level(entry)
        else:
            with contextlib.suppress(OSError):
                os.rmdir(folder)  # Directories that are no folders of ours may have been in it.
            batch.touched.directories.discard(str(folder))
        if folder.is_dir():
            batch.touched.directories.add(str(folder))
        return entry


class RenameJob(AccountJob):
    __slots__ = ("new", "old")

    def __init__(self, old: str, new: str) -> None:
        super().__init__()
        self.old, self.new = canonical(old), canonical(new)

    def run(self, batch: Batch) -> Entry:
        batch.commit()
        tree = batch.account.tree
        entry = tree.named(self.old)
        if entry is None:
            raise MailboxError(Condition.NONEXISTENT, "No such folder")
        if tree.named(self.new) is not None:
            raise MailboxError(Condition.ALREADYEXISTS, "A folder of this name exists")
        if self.new == INBOX or self.new.startswith(self.old + "/"):
            raise MailboxError(Condition.CANNOT, "A folder cannot be moved there")
        for child in (entry, *tree.below(self.old)):
            tree.check_length(canonical(self.new + child.name[len(self.old) :]))
        batch.folders_changed = True
        name = ""
        for level in parent(self.new).split("/") if parent(self.new) else ():
            name = f"{name}/{level}" if name else level
            if tree.named(name) is None:
                tree.add(name, None)
        for child in (entry, *tree.below(self.old)):
            batch.account.forget(child.mailbox)
        return tree.change(entry, name=self.new)


class SubscribeJob(AccountJob):
    __slots__ = ("name", "subscribed")

    def __init__(self, name: str, *, subscribed: bool) -> None:
        super().__init__()
        self.name, self.subscribed = canonical(name), subscribed

    def run(self, batch: Batch) -> None:
        batch.commit()
        tree = batch.account.tree
        if self.subscribed and len(tree.subscribed) >= MAX_SUBSCRIPTIONS and self.name not in tree.subscribed:
            # They are names alone, of folders or not, so nothing else bounds them.
            raise MailboxError(Condition.LIMIT, f"An account has {MAX_SUBSCRIPTIONS} subscriptions at most")
        if tree.subscribe(self.name, subscribed=self.subscribed):
            batch.folders_changed = True


class AnnotateJob(AccountJob):
    """RFC 5464: annotations of a folder, or of the account."""

    __slots__ = ("changes", "mailbox")

    def __init__(self, mailbox: MailboxId | None, changes: Mapping[str, bytes | None]) -> None:
        super().__init__()
        self.mailbox, self.changes = mailbox, changes

    def run(self, batch: Batch) -> None:
        batch.commit()
        account = batch.account
        entry = None if self.mailbox is None else account.entry(self.mailbox)
        held = account.tree.annotations(entry)
        changed = check_annotations(held, self.changes)
        if changed != held:
            account.tree.annotate(entry, changed)
            batch.annotated.add(self.mailbox)
