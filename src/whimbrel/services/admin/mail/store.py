"""Calls about the mail store (mission S25 to S28)."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.directory import Kind
from whimbrel.core.mailbox import AccountId
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, Known, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.people import address_of, entry
from whimbrel.services.admin.ports import Checked
from whimbrel.services.admin.views import Octets


@dataclass(frozen=True, slots=True)
class FolderLine:
    """One folder that was looked at."""

    account: str
    folder: str
    messages: int
    problems: tuple[str, ...]
    repaired: tuple[str, ...]
    percent: int = 0
    """How far all of it has come."""


@dataclass(frozen=True, slots=True)
class SizeLine:
    """What one folder holds; `deleted` can still be restored and counts in no quota."""

    account: str
    folder: str
    messages: int
    size: Octets
    deleted_messages: int
    deleted_size: Octets


_REMOVED = "(removed user)"
Account = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user"), ARGUMENT]
Folder = Annotated[str, "Folder, such as INBOX or Work/2026; all of them unless given.", ARGUMENT]
All = Annotated[bool, "All accounts."]


@call(
    "store",
    "check",
    reads=True,
    needs=Needs.STORE,
    operation=True,
    problems="problems",
    help="Compares the index of each folder with the messages on disk; changes nothing.",
)
async def store_check(
    ctx: AdminContext, account: Account = "", folder: Folder = "", all: All = False
) -> AsyncIterator[FolderLine]:
    store = need(ctx.store, "The mail store")
    async for line in _over(await _accounts(ctx, account, everything=all), folder, store.check):
        yield line


@call(
    "store",
    "reindex",
    needs=Needs.STORE,
    operation=True,
    problems="problems",
    help="Makes the index of each folder anew from the messages on disk. The mail itself is not touched.",
)
async def store_reindex(
    ctx: AdminContext, account: Account = "", folder: Folder = "", all: All = False
) -> AsyncIterator[FolderLine]:
    store = need(ctx.store, "The mail store")
    async for line in _over(
        await _accounts(ctx, account, everything=all), folder, store.check if ctx.dry_run else store.reindex
    ):
        yield line


@call(
    "store",
    "repair",
    needs=Needs.STORE,
    operation=True,
    problems="problems",
    help="Checks each folder and heals what is wrong, gently: an index is made anew only where nothing else helps.",
)
async def store_repair(
    ctx: AdminContext, account: Account = "", folder: Folder = "", all: All = False
) -> AsyncIterator[FolderLine]:
    store = need(ctx.store, "The mail store")
    async for line in _over(
        await _accounts(ctx, account, everything=all), folder, store.check if ctx.dry_run else store.repair
    ):
        yield line


@call(
    "store", "size", reads=True, needs=Needs.STORE,
    help="Shows what each folder holds, and what is kept of deleted messages.",
)  # fmt: skip
async def store_size(ctx: AdminContext, account: Account = "", all: All = False) -> AsyncIterator[SizeLine]:
    store = need(ctx.store, "The mail store")
    for name in await _accounts(ctx, account, everything=all):
        async for size in store.sizes(name):
            yield SizeLine(
                size.account, size.folder, size.messages, Octets(size.bytes), size.deleted_messages,
                Octets(size.deleted_bytes),
            )  # fmt: skip
    if all and ctx.mailboxes is not None:
        for removed in await ctx.mailboxes.removed():
            yield SizeLine(str(removed.account), _REMOVED, 0, Octets(0), removed.messages, Octets(removed.bytes))


async def _over(
    accounts: Sequence[AccountId], folder: str, work: Callable[[AccountId, str], AsyncIterator[Checked]]
) -> AsyncIterator[FolderLine]:
    for number, name in enumerate(accounts):
        percent = 100 * number // len(accounts)
        async for checked in work(name, folder):
            yield FolderLine(
                checked.account, checked.folder, checked.messages, checked.problems, checked.repaired, percent
            )


async def _accounts(ctx: AdminContext, account: str, *, everything: bool) -> list[AccountId]:
    if bool(account) == everything:
        raise CallError(Failure.USAGE, "name one account, or all of them by --all")
    if everything:
        return list(await need(ctx.store, "The mail store").accounts())
    return [AccountId(address_of(await entry(ctx, Kind.USER, account)).lower())]
