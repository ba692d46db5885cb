"""A user leaves, is removed, comes back, is renamed: changes of several steps, in the directory, the store and State.

Before the first step stands an intent. If the process dies in between, `recover` finishes what the directory says has
happened and undoes what it does not know of: the one write of users.cfg decides. A change that was begun goes to its
end also if the one who asked is gone.
"""

import json
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from whimbrel.core.address import Address
from whimbrel.core.departure import Departure
from whimbrel.core.directory import Account, DirectoryChange, Entry, Kind, Op
from whimbrel.core.errors import MailboxError, MailError
from whimbrel.core.intents import Intent
from whimbrel.core.mailbox import DELIMITER, AccountId
from whimbrel.core.people import full_address
from whimbrel.core.record import Texts
from whimbrel.services.admin.access import belongings
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.giving import give
from whimbrel.services.admin.people.people import change, values_of
from whimbrel.services.admin.people.records import RECORDS

if TYPE_CHECKING:
    from whimbrel.core.mailboxes import RemovedMailbox

T = TypeVar("T")
REMOVE: Final = "remove-user"
RESTORE: Final = "restore-user"
RENAME: Final = "rename-user"
GIVE: Final = "give-mail"
_VERSION: Final = "1.0"
_MAILBOXES: Final = "The mail store"


@dataclass(frozen=True, slots=True)
class Kept:
    """What is known of a removed user: the record as it stood in the file, and the groups that had the user."""

    values: Texts
    groups: tuple[str, ...]

    @classmethod
    def read(cls, text: str) -> "Kept":
        """From what stands with a removed mailbox; of a former release it says nothing."""
        try:
            content = json.loads(text) if text else {}
            values = {str(name): _text(value) for name, value in dict(content.get("values", {})).items()}
            return cls(values, tuple(str(group) for group in content.get("groups", ())))
        except (ValueError, TypeError, AttributeError):
            return cls({}, ())

    def written(self) -> str:
        values = {name: list(value) if isinstance(value, tuple) else value for name, value in self.values.items()}
        return json.dumps({"version": _VERSION, "values": values, "groups": list(self.groups)}, ensure_ascii=False)


def _text(value: object) -> str | tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else str(value)


def account_id(entry: Entry) -> AccountId:
    return AccountId(Address(entry.name, entry.domain).key)


def new_id(ctx: AdminContext) -> str:
    """For what is put aside: the time, in nanoseconds."""
    return f"{int(ctx.clock.now() * 1e9):x}"


async def remove_user(ctx: AdminContext, user: Entry, *more: DirectoryChange) -> None:
    """With `more` changes in the same write."""
    changes = [DirectoryChange(Op.REMOVE, Kind.USER, user.domain, user.name), *more]
    if ctx.mailboxes is None:  # No server has run here yet: there is no mail.
        await change(ctx, *changes)
        return
    account, mailboxes = await _account(ctx, account_id(user)), ctx.mailboxes
    kept = Kept(account.record.texts, tuple(sorted(await _groups_of(ctx, account)))).written()
    values = {"account": str(account.id), "id": new_id(ctx), "record": kept}

    async def after() -> None:
        await mailboxes.put_aside(account.id, values["id"], kept)
        await belongings.forget(ctx, account.id)

    await _carried_out(ctx, REMOVE, values, changes, after=after)


async def restore_user(
    ctx: AdminContext, removed: "RemovedMailbox", changes: Sequence[DirectoryChange], account: AccountId
) -> None:
    """`changes` make the user; the mailbox becomes that of `account`. MailboxError ALREADYEXISTS."""
    mailboxes = need(ctx.mailboxes, _MAILBOXES)
    values = {"account": str(account), "id": removed.id, "origin": str(removed.account)}
    await _carried_out(
        ctx, RESTORE, values, changes,
        before=lambda: mailboxes.bring_back(removed.id, account),
        undo=lambda: mailboxes.undo_bring_back(removed.id, account, removed.account),
        after=lambda: mailboxes.drop_record(account),
    )  # fmt: skip


async def rename_user(ctx: AdminContext, old: AccountId, new: AccountId, changes: Sequence[DirectoryChange]) -> None:
    """`changes` give the user the new name; the mailbox and what State knows move along. MailboxError ALREADYEXISTS."""
    mailboxes = need(ctx.mailboxes, _MAILBOXES)
    if old == new:  # The spelling alone.
        await change(ctx, *changes)
        return
    await _carried_out(
        ctx, RENAME, {"old": str(old), "new": str(new)}, changes,
        before=lambda: mailboxes.rename(old, new),
        undo=lambda: mailboxes.undo_rename(old, new),
        after=lambda: belongings.move(ctx, old, new),
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gift:
    """The mail of one user, copied into a folder of another."""

    giver: AccountId
    taker: AccountId
    into: str

    @property
    def written(self) -> str:
        """As the giver's record has it, which decides whether it was given."""
        return f"{self.taker}{DELIMITER}{self.into}"


async def leave_user(ctx: AdminContext, changes: Sequence[DirectoryChange], gift: Gift | None) -> None:
    """`changes` say in the user's record what becomes of the user; with a gift its mark is among them. MailboxError:
    the changes are made, the mail is copied at the next start."""
    if gift is None:
        await change(ctx, *changes)
        return
    values = {"account": str(gift.giver), "to": str(gift.taker), "into": gift.into}
    # After the write: what arrives from now on goes where the record says, and is not missed by the copy.
    await _carried_out(ctx, GIVE, values, changes, after=lambda: _given(ctx, gift))


async def _given(ctx: AdminContext, gift: Gift) -> None:
    folders, messages = need(ctx.folders, _MAILBOXES), need(ctx.messages, _MAILBOXES)
    count = await give(folders, messages, gift.giver, gift.taker, gift.into)
    # Names of users, and of a folder made of them: nothing of what is in the mail.
    ctx.log.info("directory.mail-given", account=gift.giver, to=gift.taker, folder=gift.into, messages=count)


async def make_way(ctx: AdminContext, *accounts: AccountId) -> None:
    """Before users of these names are added: nothing of former ones is shown."""
    if ctx.mailboxes is None or ctx.dry_run:
        return
    for account in await ctx.mailboxes.make_way(accounts, new_id(ctx)):
        ctx.warn(
            f"Mail of a former user {account} was put aside: `whimbrel user removed-list` shows it, `whimbrel user "
            f"removed-restore` brings it back"
        )
    await belongings.begin(ctx, *accounts)


async def recover(ctx: AdminContext) -> None:
    """Before anything is served: ends what a process that died has left half done."""
    for intent in await ctx.intents.pending() if ctx.intents is not None else ():
        try:
            done = await _recovered(ctx, intent)
        except MailError:
            continue  # Nobody can be said to be there or not: users.cfg is not taken into use yet.
        except MailboxError as error:
            if intent.what != GIVE:
                raise
            ctx.log.error(
                "directory.mail-not-given", account=_subject(intent), to=intent.values["to"], error=str(error)
            )
            continue  # Nothing of the giver's is lost by waiting for the next start.
        if ctx.intents is not None:
            await ctx.intents.end(intent)
        outcome = "finished" if done else "undone"
        ctx.log.warning("directory.recovered", what=intent.what, outcome=outcome, name=_subject(intent))


async def _recovered(ctx: AdminContext, intent: Intent) -> bool:
    mailboxes, values = need(ctx.mailboxes, _MAILBOXES), intent.values
    if intent.what == RENAME:
        old, new = AccountId(values["old"]), AccountId(values["new"])
        if await ctx.directory.account(new) is not None:
            await mailboxes.rename(old, new)
            await belongings.move(ctx, old, new)
            return True
        await mailboxes.undo_rename(old, new)
        return False
    account = AccountId(values["account"])
    if intent.what == GIVE:
        return await _given_again(ctx, Gift(account, AccountId(values["to"]), values["into"]))
    there = await ctx.directory.account(account) is not None
    if intent.what == REMOVE and not there:
        await mailboxes.put_aside(account, values["id"], values["record"])
        await belongings.forget(ctx, account)
        return True
    if intent.what == RESTORE:
        if there:
            await mailboxes.drop_record(account)
            return True
        await mailboxes.undo_bring_back(values["id"], account, AccountId(values["origin"]))
    return False


async def _given_again(ctx: AdminContext, gift: Gift) -> bool:
    giver, taker = await ctx.directory.account(gift.giver), await ctx.directory.account(gift.taker)
    if giver is None or taker is None or giver.part(Departure).given_to != gift.written:
        return False
    await _given(ctx, gift)
    return True


def _subject(intent: Intent) -> str:
    return intent.values.get("account") or intent.values.get("old", "")


async def _nothing() -> None:
    pass


async def _carried_out(
    ctx: AdminContext,
    what: str,
    values: Mapping[str, str],
    changes: Sequence[DirectoryChange],
    *,
    before: Callable[[], Awaitable[None]] = _nothing,
    undo: Callable[[], Awaitable[None]] = _nothing,
    after: Callable[[], Awaitable[None]] = _nothing,
) -> None:
    """Checked, then under an intent: the step before, the write that decides, the step after."""
    await ctx.editor.check(changes)
    if ctx.dry_run:
        return
    intents = need(ctx.intents, _MAILBOXES)
    from whimbrel.core.config import ConfigConflict, ConfigError  # Here: the client of a server needs it not.

    async def work() -> None:
        intent = await intents.begin(what, values)
        try:
            await before()
        except Exception:
            await intents.end(intent)  # Nothing was changed.
            raise
        try:
            await ctx.editor.change(changes)
        except (ConfigError, ConfigConflict):
            await undo()
            await intents.end(intent)
            raise
        # Should the step after fail, the intent stays: it is made good at the next start.
        await after()
        await intents.end(intent)

    await undivided(work())


async def undivided(work: Coroutine[Any, Any, T]) -> T:
    """Goes on to its end if the one who asked is gone."""
    import asyncio  # Here: the client of a server needs it not.

    return await asyncio.shield(asyncio.create_task(work))


async def _account(ctx: AdminContext, id: AccountId) -> Account:
    account = await ctx.directory.account(id)
    if account is None:
        raise CallError(Failure.NOT_FOUND, f"There is no user '{id}'")
    return account


async def _groups_of(ctx: AdminContext, account: Account) -> set[str]:
    names = (account.address.local, *_names(account.record.texts))
    naming = await ctx.editor.naming([f"{name}@{account.address.domain}" for name in names])
    return {f"{each.name}@{each.domain}" for each in naming if each.kind is Kind.GROUP}


def _names(texts: Texts) -> tuple[str, ...]:
    names = texts.get("alias", ())
    return (names,) if isinstance(names, str) else names


# Who names whom


async def redirected(ctx: AdminContext, names: Mapping[str, str], skip: Entry | None = None) -> list[DirectoryChange]:
    """The changes by which all who name one of the addresses name another instead (`names`: the old one, folded, to
    the new one); with "" they name it no more. `skip`: a record that is changed otherwise."""
    changes = []
    done = set()
    for naming in await ctx.editor.naming(list(names)):
        key = (naming.kind, naming.domain, naming.name)
        if key in done or (skip is not None and key == (skip.kind, skip.domain, skip.name)):
            continue
        done.add(key)
        entry = await ctx.editor.entry(naming.kind, naming.domain, naming.name)
        if entry is not None:
            values = await _redirected(ctx, entry, names)
            # An alias that stands for nobody any more goes.
            op = Op.REMOVE if values.get("to") == () else Op.SET
            if values:
                changes.append(
                    DirectoryChange(op, entry.kind, entry.domain, entry.name, {} if op is Op.REMOVE else values)
                )
    return changes


async def _redirected(ctx: AdminContext, entry: Entry, names: Mapping[str, str]) -> dict[str, object]:
    changed: dict[str, object] = {}
    for field in next(each for each in RECORDS if each.kind is entry.kind).fields:
        if not field.declared.address:
            continue
        former = values_of(entry, field.element)
        current = tuple(dict.fromkeys([text for each in former if (text := await _new_name(ctx, each, entry, names))]))
        if current != former:
            changed[field.element] = current if field.many else (current[0] if current else "")
    return changed


async def _new_name(ctx: AdminContext, text: str, entry: Entry, names: Mapping[str, str]) -> str:
    """The name that stands there from now on, as short as the former one was."""
    if not text:
        return ""
    local, _, host = full_address(text, entry.domain).key.rpartition("@")
    here = await ctx.directory.domain(host)
    new = names.get(f"{local}@{here.name if here is not None else host}")
    if new is None:
        return text
    return new.rpartition("@")[0] if "@" not in text and new.rpartition("@")[2] == entry.domain else new
