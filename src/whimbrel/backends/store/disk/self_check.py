"""Checks folders that nobody has complained about: files, rows and counters are compared, and healed.

For pool threads: a folder when it is selected, all of them in the background's rounds, or by an administrator's order.
"""

import time

from whimbrel.backends.store.disk.account import Account
from whimbrel.backends.store.disk.backup import refresh_backup
from whimbrel.backends.store.disk.index import FolderIndex, recount
from whimbrel.backends.store.disk.rebuild import Progress, Rebuilt
from whimbrel.backends.store.disk.reconcile import Difference, compare
from whimbrel.core.mailbox import MailboxId

SELF_CHECK = 60.0
"""Seconds between two comparisons of a folder's files with its index at the earliest."""


def self_check(account: Account, mailbox: MailboxId, *, now: bool = False) -> Difference | None:
    """Compares files and index, and heals; at most once a minute unless `now`."""
    at = time.monotonic()
    if not now and at - account.checked.get(mailbox, -SELF_CHECK) < SELF_CHECK:
        return None
    account.checked[mailbox] = at
    indication = account.read(mailbox, compare)
    if indication.leaving:
        account.leaving.add(mailbox)
    if not indication:
        return None
    with account.seq.locked():
        account.prepare_locked()
        difference = account.take_in(account.entry(mailbox))
        account.seq.commit()
    if difference:
        account.healed({mailbox}, False)
    return difference


def maintain(account: Account, mailbox: MailboxId) -> None:
    """The background's check of a folder: files, rows and counters, and a fresh flags.bak."""
    self_check(account, mailbox, now=True)

    def counts_match(index: FolderIndex) -> bool:
        status = index.status()
        refresh_backup(index)
        return recount(index.connection) == (status.messages, status.unseen, status.deleted, status.size)

    try:
        matching = account.read(mailbox, counts_match)
    except OSError:
        account.forget(mailbox)  # What stands in the place of a file is put away when the folder is opened.
        matching = account.read(mailbox, counts_match)
    if not matching:
        account.log.warning("store.counters-wrong", account=account.account, folder=account.entry(mailbox).name)
        reindex(account, mailbox, lambda done, total: None)


def reindex(account: Account, mailbox: MailboxId, progress: Progress) -> Rebuilt:
    """Makes the index anew, whatever it says."""
    with account.seq.locked(60.0):
        account.prepare_locked()
        rebuilt, _ = account.rebuild(account.entry(mailbox), progress)
        account.seq.commit()
    account.healed({mailbox}, False)
    return rebuilt


def check_tree(account: Account) -> bool:
    """Folders that were put in or taken away by hand become known. True if there were any."""
    if not account.tree.strayed():
        return False
    with account.seq.locked():
        account.prepare_locked()
        if not account.tree.strayed():
            return False  # Somebody was just making one.
        account.renew()
    account.healed(set(), True)
    return True
