"""The port Mailboxes in memory."""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.backends.store.memory.account import MemoryAccount
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.mailboxes import Mailboxes, RemovedMailbox
from whimbrel.core.undelete import Tally


@dataclass(slots=True)
class _Aside:
    account: AccountId
    record: str
    mailbox: MemoryAccount | None


class MemoryMailboxes:
    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._aside: dict[str, _Aside] = {}
        self._records: dict[str, str] = {}
        """Of mailboxes that came back: on a disk they lie with these."""

    async def put_aside(self, account: AccountId, id: str, record: str) -> None:
        if id not in self._aside:
            self._aside[id] = _Aside(account, record, self._store.take_account(account))

    async def make_way(self, accounts: Sequence[AccountId], id: str) -> Sequence[AccountId]:
        left = [
            account
            for account in accounts
            if self._store.links.pop(account, None) is None and self._store.has_account(account)
        ]
        for number, account in enumerate(left):
            await self.put_aside(account, f"{int(id, 16) + number:x}", "")
        return left

    async def removed(self) -> Sequence[RemovedMailbox]:
        removed = []
        for id, aside in self._aside.items():
            usage = _held(aside.mailbox)
            removed.append(
                RemovedMailbox(id, aside.account, int(id, 16) / 1e9, usage.messages, usage.bytes, aside.record)
            )
        return sorted(removed, key=lambda each: (-each.removed, each.account))

    async def bring_back(self, id: str, account: AccountId) -> None:
        aside = self._named(id)
        if self._store.has_account(account):
            if _held(self._store.account(account)).messages:
                raise MailboxError(Condition.ALREADYEXISTS, f"{account} has a mailbox that holds messages")
            self._store.take_account(account)
        self._store.links.pop(account, None)
        if aside.mailbox is not None:
            self._store.put_account(account, aside.mailbox)
        self._records[id] = aside.record
        del self._aside[id]

    async def undo_bring_back(self, id: str, account: AccountId, origin: AccountId) -> None:
        if id not in self._aside:
            self._aside[id] = _Aside(origin, self._records.get(id, ""), self._store.take_account(account))

    async def drop_record(self, account: AccountId) -> None:
        """Nothing is kept with a mailbox here."""

    async def purge(self, id: str) -> Tally:
        aside = self._named(id)
        del self._aside[id]
        return _held(aside.mailbox)

    async def rename(self, old: AccountId, new: AccountId) -> None:
        if self._store.links.get(old) == new:
            return
        self._store.links.pop(new, None)
        if self._store.has_account(new):
            raise MailboxError(Condition.ALREADYEXISTS, f"{new} has a mailbox already")
        mailbox = self._store.take_account(old)
        if mailbox is not None:
            self._store.put_account(new, mailbox)
        self._store.links[old] = new

    async def undo_rename(self, old: AccountId, new: AccountId) -> None:
        if self._store.links.pop(old, None) == new:
            mailbox = self._store.take_account(new)
            if mailbox is not None:
                self._store.put_account(old, mailbox)

    def _named(self, id: str) -> _Aside:
        if id not in self._aside:
            raise MailboxError(Condition.NONEXISTENT, f"There is no removed mailbox {id}")
        return self._aside[id]


def _held(mailbox: MemoryAccount | None) -> Tally:
    folders = mailbox.all() if mailbox is not None else []
    return Tally(sum(len(each.messages) for each in folders), sum(each.size for each in folders))


_port: type[Mailboxes] = MemoryMailboxes
