"""`user leave`: all that becomes of a user who leaves, in one change that is undone as one (mission S12, S36).

Sign-in ends, mail goes on to others, is refused with a text or kept; the mailbox is kept, given to a colleague, deleted
on a day; and who names the user names another one. Every value stands in a record, and none of them is removed: so
`change undo` puts back all of it. Of a mailbox that was given, the colleague has a copy.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Final, NoReturn

from whimbrel.core.address import Domain
from whimbrel.core.counting import counted
from whimbrel.core.departure import day, reply_text
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Naming, Op
from whimbrel.core.errors import MailboxError
from whimbrel.core.mailbox import Limit
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, Known, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.people.fields import step_of
from whimbrel.services.admin.people.giving import fits, free_name
from whimbrel.services.admin.people.lifecycle import Gift, account_id, leave_user, redirected
from whimbrel.services.admin.people.people import address_of, entry, value_of, values_of
from whimbrel.services.admin.people.records import USER
from whimbrel.services.admin.people.resolving import listing, names_of, naming_words
from whimbrel.services.admin.people.users import addresses_of, forward_warning, mail_of, may_change
from whimbrel.services.admin.views import Done, done

_STORE: Final = "The mail store"
_CUT: Final = ": "
"""What makes a value of the config log one that cannot be read back."""

Forward = Annotated[tuple[str, ...], "Addresses that get the mail from now on. Repeat for several.", Known("user")]
Refuse = Annotated[str, "Refuse mail with this text, such as 'Anna has left, please write to bob@example.org'."]
GiveTo = Annotated[str, "A colleague here who gets a copy of all mail, in a folder of its own.", Known("user")]
DeleteOn = Annotated[str, "Day on which the user is removed, as 2027-03-31; the mail is deleted for good a day later."]
Instead = Annotated[
    str, "Who is named from now on in groups, aliases and forwardings of others that name the user.", Known("user")
]
Everywhere = Annotated[bool, "Takes the user out of groups, aliases and forwardings of others."]


@dataclass(frozen=True, slots=True)
class _Plan:
    """What the call is about to do. `alone`: those that name nobody but the user, and stay as they are."""

    user: Entry
    steps: tuple[DirectoryChange, ...]
    gift: Gift | None
    alone: tuple[str, ...]


async def _ask(
    ctx: AdminContext,
    name: str,
    forward_to: tuple[str, ...],
    refuse: str,
    give_to: str,
    delete_on: str,
    instead: str,
    everywhere: bool,
) -> str:
    """The review: a sentence for each thing that becomes of the user."""
    plan = await _planned(ctx, name, forward_to, refuse, give_to, delete_on, instead, everywhere)
    user, address = plan.user, address_of(plan.user)
    texts = [f"{address} leaves: sign-in is off, and sessions end now."]
    former = "" if forward_to or not values_of(user, "forward-to") else "; it is forwarded no more"
    if forward_to:
        texts.append(f"Mail goes to {listing(forward_to)}, and none to the mailbox.")
    elif refuse:
        texts.append(f"Mail is refused with: 550 {reply_text(refuse)}{former}.")
    else:
        texts.append(f"Mail is kept in the mailbox, which nobody reads{former}.")
    mail = await mail_of(ctx, account_id(user))
    if plan.gift is not None:
        texts.append(f"{plan.gift.taker} gets a copy of the mailbox{mail} in the folder {plan.gift.into}.")
    if delete_on:
        texts.append(f"On {delete_on} the user is removed; the mailbox{mail} is deleted for good a day later.")
    else:
        texts.append(f"The mailbox{mail} stays.")
    named = [_words(step) for step in plan.steps[1:]]
    if named:
        texts.append(
            f"{instead} is named instead in {listing(named)}." if instead else f"Taken out of {listing(named)}."
        )
    elif not (instead or everywhere) and (names := await names_of(ctx, *addresses_of(user))):
        texts.append(f"Still named by {names}.")
    if plan.alone:
        texts.append(f"{listing(plan.alone)} names nobody else, and stays.")
    return " ".join(texts)


def _words(step: DirectoryChange) -> str:
    return naming_words(Naming(step.kind, step.domain, step.name, ""))


@call(
    "user",
    "leave",
    right=Right.ACCOUNTS,
    needs=Needs.STORE_IF_ANY,
    help="A user leaves: signs in no more, and mail is forwarded, refused with a text or kept. `change undo` takes all "
    "of it back, `user enable` lets the user in again.",
    confirm=_ask,
)
async def user_leave(
    ctx: AdminContext,
    name: Annotated[str, "name@domain; a bare name is one of the primary domain.", Known("user")],
    forward_to: Forward = (),
    refuse: Refuse = "",
    give_to: GiveTo = "",
    delete_on: DeleteOn = "",
    instead: Instead = "",
    everywhere: Everywhere = False,
) -> Done:
    plan = await _planned(ctx, name, forward_to, refuse, give_to, delete_on, instead, everywhere)
    address = address_of(plan.user)
    rest = ""
    try:
        await leave_user(ctx, plan.steps, plan.gift)
        if plan.gift is not None:
            rest = f"; {plan.gift.taker} has a copy of the mail in {plan.gift.into}"
    except MailboxError as error:
        ctx.warn(f"The mail could not be copied to {give_to} ({error}): that is done at the next start of the server")
    for each in plan.alone:
        ctx.warn(f"{each} leads to {address} alone, and stays: its mail is treated as that of {address}")
    named = f"; {counted(len(plan.steps) - 1, 'record')} changed that named it" if len(plan.steps) > 1 else ""
    warning = await forward_warning(ctx, address) if forward_to else ""
    return done(ctx.dry_run, f"User {address}", "left", f"{rest}{named}{warning}")


async def _planned(
    ctx: AdminContext,
    name: str,
    forward_to: Sequence[str],
    refuse: str,
    give_to: str,
    delete_on: str,
    instead: str,
    everywhere: bool,
) -> _Plan:
    """CallError: what does not go together, or would not be allowed."""
    user = await entry(ctx, Kind.USER, name)
    may_change(ctx, user)
    address = address_of(user)
    if ctx.caller.account.casefold() == address.casefold():
        raise CallError(Failure.REFUSED, "You would shut yourself out: let another administrator do that")
    if forward_to and refuse:
        _refuse("refuse", "mail is either forwarded or refused: leave one of them out")
    if instead and everywhere:
        _refuse("instead", "others name somebody instead, or nobody: leave --everywhere out")
    if instead:
        instead = address_of(await _colleague(ctx, "instead", instead, user))
    for each in forward_to:
        if each.casefold() in addresses_of(user):
            _refuse("forward_to", f"{each} is the user who leaves")
    gift = await _gift(ctx, user, give_to) if give_to else None
    values: dict[str, object] = {
        "left": True,
        "refusal": _checked("refuse", refuse) or None,
        "delete-on": _due(ctx, delete_on) or None,
        "forward-to": tuple(each for each in forward_to if each),
        "keep-copy": False if forward_to else None,
    }
    if gift is not None:
        values["given-to"] = gift.written
    own = DirectoryChange(Op.SET, Kind.USER, user.domain, user.name, values)
    # For what is wrong with the addresses.
    step_of(USER, Op.SET, user.domain, user.name, {"forward_to": tuple(forward_to)})
    if not (instead or everywhere):
        return _Plan(user, (own,), gift, ())
    naming = await redirected(ctx, dict.fromkeys(addresses_of(user), instead), skip=user)
    ctx.stays_within(step.domain for step in naming)
    # What is removed no undo brings back.
    alone = tuple(_words(step) for step in naming if step.op is Op.REMOVE)
    return _Plan(user, (own, *(step for step in naming if step.op is Op.SET)), gift, alone)


async def _colleague(ctx: AdminContext, parameter: str, name: str, user: Entry) -> Entry:
    try:
        colleague = await entry(ctx, Kind.USER, name)
    except CallError as error:
        raise CallError(error.kind, f"{parameter}: {error.text}", FieldFault(parameter, error.text)) from None
    if address_of(colleague) == address_of(user):
        _refuse(parameter, f"{name} is the user who leaves")
    if value_of(colleague, "left") == "yes":
        _refuse(parameter, f"{name} has left too")
    return colleague


async def _gift(ctx: AdminContext, user: Entry, give_to: str) -> Gift:
    taker = await _colleague(ctx, "give_to", give_to, user)
    own = address_of(taker).casefold() == ctx.caller.account.casefold()
    if own and not ctx.caller.grants.allows(Right.MAIL_READ, Domain(user.domain)):
        text = f"a copy for yourself is other people's mail, and needs the right {Right.MAIL_READ}"
        raise CallError(Failure.FORBIDDEN, f"give_to: {text}", FieldFault("give_to", text))
    folders, giver, to = need(ctx.folders, _STORE), account_id(user), account_id(taker)
    account = await ctx.directory.account(to)
    limit = Limit(account.quota_bytes, account.quota_messages) if account is not None else Limit(0, 0)
    if not await fits(folders, giver, to, limit):
        _refuse("give_to", f"the mailbox of {address_of(taker)} has no room for it: give it a larger quota first")
    return Gift(giver, to, await free_name(folders, to, str(giver)))


def _checked(parameter: str, text: str) -> str:
    try:
        checked = reply_text(text)
    except ValueError as error:
        _refuse(parameter, str(error))
    if _CUT in checked:
        _refuse(parameter, "a colon before a blank could not be read back from the log to undo it: leave it out")
    return checked


def _due(ctx: AdminContext, text: str) -> str:
    try:
        due = day(text)
    except ValueError as error:
        _refuse("delete_on", str(error))
    if due and due <= date.fromtimestamp(ctx.clock.now()).isoformat():
        _refuse("delete_on", f"{due} is not after today; `whimbrel user remove` removes a user now")
    return due


def _refuse(parameter: str, text: str) -> NoReturn:
    raise CallError(Failure.USAGE, f"{parameter}: {text}", FieldFault(parameter, text))
