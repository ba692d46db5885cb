"""Calls that bring back what users deleted (mission S28, B04)."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.counting import counted
from whimbrel.core.directory import Kind
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Right
from whimbrel.core.undelete import Chosen, DeletedMessage, Tally, Undelete
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, Known, Needs, Whose, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.people.people import address_of, entry
from whimbrel.services.admin.server.logs import moment
from whimbrel.services.admin.views import Moment, Octets, Page, Words


@dataclass(frozen=True, slots=True)
class DeletedLine:
    """A message that can be restored. Its text is not shown."""

    id: str
    sender: str
    subject: Words
    folder: str
    deleted: Moment
    size: Octets
    account: str


@dataclass(frozen=True, slots=True)
class FolderView:
    """A deleted folder."""

    id: str
    name: str
    deleted: Moment
    messages: int
    size: Octets


@dataclass(frozen=True, slots=True)
class Undeleted:
    messages: int
    size: Octets
    text: str


Account = Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")]
Ids = Annotated[tuple[str, ...], "Ids of messages, as listed.", ARGUMENT]
Folder = Annotated[str, "Only messages that were in this folder."]
Text = Annotated[str, "Only messages with this in their sender or subject."]
Since = Annotated[str, "Only what was deleted at or after this time: 2d for two days ago, or 2026-11-24 17:00."]
Until = Annotated[str, "Only what was deleted before this time."]
All = Annotated[bool, "All messages; needed where nothing else says which."]
FolderId = Annotated[str, "Id of the deleted folder, as listed."]


async def _whose(ctx: AdminContext, account: str, **_values: object) -> Whose:
    """Senders and subjects of one account's mail."""
    address = address_of(await entry(ctx, Kind.USER, account)).lower()
    return Whose(f"deleted mail of {address}", address.rpartition("@")[2])


async def _everybody(ctx: AdminContext, text: str, **_values: object) -> Whose:
    return Whose(f"deleted mail of all accounts with '{text}'")


@call(
    "store", "undelete-list", reads=True, right=Right.ACCOUNTS, needs=Needs.STORE, shows_mail=_whose,
    help="Lists deleted messages that can be restored, the latest first.",
)  # fmt: skip
async def store_undelete_list(
    ctx: AdminContext, account: Account, folder: Folder = "", text: Text = "",
    since: Since = "", until: Until = "", limit: Annotated[int, "Most to list.", MOST_LISTED] = 100,
    after: Annotated[str, "Where the list before this one ended."] = "",
) -> Page[DeletedLine]:  # fmt: skip
    undelete, name = await _of(ctx, account)
    page = await undelete.messages(name, _chosen(ctx, (), folder, text, since, until), after=after, limit=limit)
    return Page(tuple(_line(name, message) for message in page.messages), page.next)


@call(
    "store", "undelete-search", reads=True, needs=Needs.STORE, shows_mail=_everybody,
    help="Finds deleted messages of all accounts by sender or subject.",
)  # fmt: skip
async def store_undelete_search(
    ctx: AdminContext, text: Annotated[str, "Part of the sender or the subject."],
    since: Since = "", until: Until = "", limit: Annotated[int, "Most to find.", MOST_LISTED] = 1000,
) -> AsyncIterator[DeletedLine]:  # fmt: skip
    undelete, store = need(ctx.undelete, "Restoring"), need(ctx.store, "The mail store")
    chosen, left = _chosen(ctx, (), "", text, since, until), limit
    for account in await store.accounts():
        after = ""
        while left > 0:
            page = await undelete.messages(account, chosen, after=after, limit=min(left, 500))
            for message in page.messages:
                yield _line(account, message)
            left, after = left - len(page.messages), page.next
            if not after:
                break


@call(
    "store", "undelete-restore", needs=Needs.STORE,
    help="Puts deleted messages back into their folder, or into another one.",
)  # fmt: skip
async def store_undelete_restore(
    ctx: AdminContext, account: Account, ids: Ids = (), folder: Folder = "", text: Text = "",
    since: Since = "", until: Until = "", all: All = False,
    into: Annotated[str, "Folder to restore to; it is made if it does not exist."] = "",
) -> Undeleted:  # fmt: skip
    undelete, name = await _of(ctx, account)
    chosen = _chosen(ctx, ids, folder, text, since, until, everything=all)
    tally = await undelete.count(name, chosen) if ctx.dry_run else await undelete.restore(name, chosen, into)
    return _answer(ctx, name, tally, "restored", ids)


async def _ask_purge(
    ctx: AdminContext, account: str, ids: tuple[str, ...], folder: str, text: str, since: str, until: str, all: bool
) -> str:
    """How many, how much."""
    undelete, name = await _of(ctx, account)
    tally = await undelete.count(name, _chosen(ctx, ids, folder, text, since, until, everything=all))
    if not tally.messages:
        return ""
    return f"Remove {_counted(tally)} of {name} for good? Until then they can be restored; nothing restores them after."


async def _ask_purge_folder(ctx: AdminContext, account: str, id: str) -> str:
    undelete, name = await _of(ctx, account)
    gone = await _folder(undelete, name, id)
    counted = _counted(Tally(gone.messages, gone.size))
    return (
        f"Remove the deleted folder {gone.name} of {name} with {counted} for good? Until then it can be restored; "
        "nothing restores it after."
    )


def _counted(tally: Tally) -> str:
    return f"{counted(tally.messages, 'message')} ({tally.bytes} octets)"


@call(
    "store",
    "undelete-purge",
    needs=Needs.STORE,
    help="Removes deleted messages for good.",
    confirm=_ask_purge,
)
async def store_undelete_purge(
    ctx: AdminContext, account: Account, ids: Ids = (), folder: Folder = "", text: Text = "",
    since: Since = "", until: Until = "", all: All = False,
) -> Undeleted:  # fmt: skip
    undelete, name = await _of(ctx, account)
    chosen = _chosen(ctx, ids, folder, text, since, until, everything=all)
    tally = await undelete.count(name, chosen) if ctx.dry_run else await undelete.purge(name, chosen)
    return _answer(ctx, name, tally, "removed for good", ids)


@call(
    "store", "undelete-folders", reads=True, needs=Needs.STORE,
    help="Lists deleted folders that can be restored, the latest first.",
)  # fmt: skip
async def store_undelete_folders(ctx: AdminContext, account: Account) -> Page[FolderView]:
    undelete, name = await _of(ctx, account)
    return Page(
        tuple(
            FolderView(each.id, each.name, Moment(each.deleted), each.messages, Octets(each.size))
            for each in await undelete.folders(name)
        )
    )


@call(
    "store", "undelete-folder", needs=Needs.STORE,
    help="Brings back a deleted folder with its messages and the folders below it.",
)  # fmt: skip
async def store_undelete_folder(
    ctx: AdminContext, account: Account, id: FolderId, name: Annotated[str, "Another name for it."] = ""
) -> Undeleted:
    undelete, owner = await _of(ctx, account)
    gone = await _folder(undelete, owner, id)
    what = f"of {gone.name} restored"
    if not ctx.dry_run:
        what = f"restored in {', '.join(await undelete.restore_folder(owner, id, name))}"
    return _answer(ctx, owner, Tally(gone.messages, gone.size), what)


@call(
    "store",
    "undelete-purge-folder",
    needs=Needs.STORE,
    help="Removes a deleted folder for good.",
    confirm=_ask_purge_folder,
)
async def store_undelete_purge_folder(ctx: AdminContext, account: Account, id: FolderId) -> Undeleted:
    undelete, owner = await _of(ctx, account)
    gone = await _folder(undelete, owner, id)
    tally = Tally(gone.messages, gone.size) if ctx.dry_run else await undelete.purge_folder(owner, id)
    return _answer(ctx, owner, tally, f"of {gone.name} removed for good")


async def _of(ctx: AdminContext, account: str) -> tuple[Undelete, AccountId]:
    undelete = need(ctx.undelete, "Restoring")
    return undelete, AccountId(address_of(await entry(ctx, Kind.USER, account)).lower())


async def _folder(undelete: Undelete, account: AccountId, id: str) -> FolderView:
    for each in await undelete.folders(account):
        if each.id == id:
            return FolderView(each.id, each.name, Moment(each.deleted), each.messages, Octets(each.size))
    raise CallError(Failure.NOT_FOUND, f"{account} has no deleted folder {id}; see `store undelete-folders {account}`")


def _chosen(
    ctx: AdminContext, ids: tuple[str, ...], folder: str, text: str, since: str, until: str,
    *, everything: bool | None = None,
) -> Chosen:  # fmt: skip
    """`everything`: of a call that changes something, which must be told what it is to take."""
    chosen = Chosen(
        ids,
        folder,
        int(moment(ctx, "since", since)) if since else None,
        int(moment(ctx, "until", until)) if until else None,
        text,
    )
    if everything is not None and (chosen == Chosen()) is not everything:
        raise CallError(Failure.USAGE, "name messages by id or filter, or all of them by --all")
    return chosen


def _line(account: AccountId, message: DeletedMessage) -> DeletedLine:
    return DeletedLine(
        message.id, message.sender, message.subject, message.folder, Moment(message.deleted), Octets(message.size),
        account,
    )  # fmt: skip


def _answer(ctx: AdminContext, account: AccountId, tally: Tally, what: str, ids: tuple[str, ...] = ()) -> Undeleted:
    if ids and not tally.messages:
        raise CallError(Failure.NOT_FOUND, f"{account} has no deleted message {', '.join(ids)}")
    if not ctx.dry_run:
        ctx.log.info("store.undeleted", account=account, what=what, messages=tally.messages)
    would = "would be" if ctx.dry_run else "was" if tally.messages == 1 else "were"
    return Undeleted(tally.messages, Octets(tally.bytes), f"{counted(tally.messages, 'message')} {would} {what}")
