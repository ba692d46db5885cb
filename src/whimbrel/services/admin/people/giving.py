"""A user's mail is given to a colleague: a copy of all folders below one new folder of the colleague's mailbox.

A copy and no move: what is undone later has lost nothing, and a crash in the middle costs nobody a message. In the
store both are links to the same files.
"""

from typing import TYPE_CHECKING, Final

from whimbrel.core.mailbox import DELIMITER, AccountId, Folder, Folders, Limit, Messages
from whimbrel.core.uids import UidSet

if TYPE_CHECKING:
    from collections.abc import Sequence

_AT_ONCE: Final = 1000
"""Messages copied in one step: between two of them others get their turn in the mailbox."""
_NAMES: Final = 1000


async def free_name(folders: Folders, account: AccountId, wanted: str) -> str:
    """The wanted name of a folder, or the next of `wanted 2`, `wanted 3` that nothing has there."""
    taken = {folder.name.casefold() for folder in await folders.list(account)}
    names = (wanted, *(f"{wanted} {number}" for number in range(2, _NAMES)))
    return next(name for name in names if not _has(taken, name.casefold()))


def _has(taken: set[str], name: str) -> bool:
    return any(each == name or each.startswith(name + DELIMITER) for each in taken)


async def fits(folders: Folders, giver: AccountId, taker: AccountId, limit: Limit) -> bool:
    """The taker's mailbox has room for all that the giver's holds."""
    more = await folders.usage(giver)
    return not limit.exceeded(await folders.usage(taker), more.bytes, more.messages)


async def give(folders: Folders, messages: Messages, giver: AccountId, taker: AccountId, into: str) -> int:
    """Copies everything into the folder `into`, which holds a part of it at most, of a former attempt; how many
    messages. MailboxError"""
    await take_back(folders, taker, into)
    top = await folders.create(taker, into)
    await folders.subscribe(taker, top.name, subscribed=True)
    count = 0
    for folder in await folders.list(giver):
        if folder.selectable:
            target = await folders.create(taker, f"{into}{DELIMITER}{folder.name}")
            await folders.subscribe(taker, target.name, subscribed=True)
            count += await _copy(messages, folder, target)
    return count


async def _copy(messages: Messages, source: Folder, target: Folder) -> int:
    uids = (await messages.snapshot(source.ref)).uids
    for start in range(0, len(uids), _AT_ONCE):
        await messages.copy(source.ref, UidSet.of(uids[start : start + _AT_ONCE]), target.ref)
    return len(uids)


async def take_back(folders: Folders, taker: AccountId, into: str) -> None:
    """The folder and all below it go."""
    own: Sequence[Folder] = await folders.list(taker)
    names = [each.name for each in own if each.name == into or each.name.startswith(into + DELIMITER)]
    for name in sorted(names, key=len, reverse=True):
        await folders.subscribe(taker, name, subscribed=False)
        await folders.delete(taker, name)
