"""Calls about the queue (mission S44 to S47)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Annotated, Final

from whimbrel.core.address import as_recorded, path_text
from whimbrel.core.counting import counted
from whimbrel.core.disposition import HELD_REMOTE
from whimbrel.core.queue import LOCAL, MIXED, ORDERS, Queue, QueueFilter, QueueItem, RecipientState
from whimbrel.core.values import Duration, Size
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, FieldFault, Known, Needs, Whose, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.lists import After, Skip, Sort, order_of
from whimbrel.services.admin.numbers import MOST_LISTED
from whimbrel.services.admin.views import Moment, Octets, Words


@dataclass(frozen=True, slots=True)
class QueueRow:
    """The columns by importance: a narrow terminal has no room for the last."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    """Those that still wait."""
    status: Words
    """`held: ` and why (quarantine, scheduled, ...), or how the last attempt went."""
    next_attempt: Moment
    """Never while it is held, unless until a certain time."""
    attempts: int
    size: Octets
    held: bool
    created: Moment
    message_id: str
    client: str
    """IP address of the host that brought it."""


@dataclass(frozen=True, slots=True)
class QueueList:
    items: tuple[QueueRow, ...]
    more: str
    total: int
    """All that fit."""
    waiting: int
    """In the whole queue."""
    held: int
    size: Octets


@dataclass(frozen=True, slots=True)
class RecipientView:
    address: str
    state: str
    status: Words
    remote: Words


@dataclass(frozen=True, slots=True)
class QueueView:
    """A message in the queue. Its text is not shown."""

    id: str
    message_id: str
    created: Moment
    next_attempt: Moment
    attempts: int
    size: Octets
    held: bool
    sender: str
    user: str
    client: str
    require_tls: bool
    given_up: str
    """Why it is being returned to its sender, if it is."""
    parked: str
    """Why it waits outside its line: quarantine, moderation, scheduled, collected."""
    recipients: tuple[RecipientView, ...]


@dataclass(frozen=True, slots=True)
class DestinationRow:
    destination: str
    waiting: int
    held: int
    size: Octets
    oldest: Moment
    next_attempt: Moment
    status: Words


@dataclass(frozen=True, slots=True)
class QueueTotals:
    waiting: int
    held: int
    due: int
    size: Octets
    oldest: Moment
    destinations: tuple[DestinationRow, ...]
    """Those with the longest lines first."""


@dataclass(frozen=True, slots=True)
class NotTouched:
    id: str
    text: Words
    """Why."""


@dataclass(frozen=True, slots=True)
class Touched:
    count: int
    text: str
    failed: tuple[NotTouched, ...] = ()
    """Of the messages that were named those to which it was not done, at most 100, each with its reason."""


DELETED: Final = "5.7.1 Deleted from the queue by an administrator"
"""RFC 3463 3.8, X.7.1: refused as this site wants it; no address is wrong, and waiting would not have helped."""
PIECE: Final = 256 * 1024
_LOGGED: Final = 1000
"""Messages that the mail log names, one line each, when something is done to many at once."""
_ASKED: Final = 10_000
"""Messages whose sizes are added up for a question."""
_REASONS: Final = {HELD_REMOTE: "outgoing mail is held"}
"""Of what is parked, in words; the others are words already."""
_EXAMPLES: Final = 5
"""Messages of which an answer says why they were passed over."""
_FAILED: Final = 100
_NAMED: Final = 20
"""Recipients that the security log names."""


@dataclass(frozen=True, slots=True)
class Action:
    """What a person does to messages. `held`: only those that are, or are not; None: all."""

    verb: str
    held: bool | None = None


TRY: Final = Action("tried now", held=False)
HOLD: Final = Action("held", held=False)
RELEASE: Final = Action("released", held=True)
RETURN: Final = Action("returned")
DELETE: Final = Action("deleted")
_FREE: Final = QueueFilter(held=False)

Ids = Annotated[tuple[str, ...], "Queue ids.", Known("message"), ARGUMENT]
MoreIds = Annotated[tuple[str, ...], "Only these queue ids.", Known("message")]
Sender = Annotated[str, "Part of the sender's address; <> means reports."]
To = Annotated[str, "Part of a recipient's address."]
Status = Annotated[str, "Part of how the last attempt went."]
Older = Annotated[Duration | None, "Only messages that have waited so long, such as 4h."]
Search = Annotated[str, "Part of the id, of an address or of how the last attempt went."]
Larger = Annotated[Size | None, "Only messages larger than this, such as 10M."]
All = Annotated[bool, "All messages; needed where nothing else says which."]


def _filter(
    ctx: AdminContext,
    ids: tuple[str, ...],
    sender: str,
    to: str,
    status: str,
    older: Duration | None,
    size: Size | None,
    held: bool | None = None,
) -> QueueFilter:
    older_than = None if older is None else ctx.clock.now() - float(older)
    least = None if size is None else int(size)
    return QueueFilter(frozenset(ids), as_recorded(sender), as_recorded(to), status, older_than, held, least)


def _row(item: QueueItem) -> QueueRow:
    waiting = item.waiting
    status = f"held: {_why_held(item)}" if item.held and not item.give_up else item.reason
    return QueueRow(
        item.id, path_text(item.sender), tuple(str(recipient.recipient.address) for recipient in waiting), status,
        _next_attempt(item), item.attempts, Octets(item.size), item.held, Moment(item.created),
        item.message_id, item.client,
    )  # fmt: skip


def _next_attempt(item: QueueItem) -> Moment:
    if not item.held:
        return Moment(item.next_attempt)
    return Moment(item.parked.until or 0.0 if item.parked is not None else 0.0)


def _why_held(item: QueueItem) -> str:
    if item.parked is None:
        return "an administrator holds it"
    return _REASONS.get(item.parked.reason, item.parked.reason)


async def _whose(ctx: AdminContext, id: str, **_values: object) -> Whose:
    """Of its sender and its recipients, here and elsewhere."""
    item = await need(ctx.queue, "The queue").get(id)
    if item is None:
        not_found("message in the queue with the id", id)
    names = [path_text(item.sender), *(str(r.recipient.address) for r in item.recipients[:_NAMED])]
    return Whose(f"message {id}: {', '.join(names)}")


@call(
    "queue", "list", reads=True, needs=Needs.STORE, names=("message", "id"),
    help="Lists the messages that wait, oldest first unless --sort says otherwise.",
)  # fmt: skip
async def queue_list(
    ctx: AdminContext,
    sender: Sender = "",
    to: To = "",
    status: Status = "",
    older: Older = None,
    size: Larger = None,
    ids: MoreIds = (),
    search: Search = "",
    held: Annotated[bool | None, "Only messages that are held, or are not."] = None,
    sort: Sort = "",
    limit: Annotated[int, "Most to list.", MOST_LISTED] = 1000,
    after: After = "",
    skip: Skip = 0,
) -> QueueList:
    queue = need(ctx.queue, "The queue")
    which = replace(_filter(ctx, ids, sender, to, status, older, size, held), text=as_recorded(search))
    order = order_of(sort, ORDERS)
    try:
        page = await queue.page(which, limit, f"{'-' * order.descending}{order.column or 'created'}", after, skip)
    except ValueError as error:
        raise CallError(Failure.USAGE, f"after: {error}", FieldFault("after", str(error))) from None
    counts = await queue.counts(ctx.clock.now())
    rows = tuple(map(_row, page.items))
    return QueueList(rows, page.more, page.total, counts.waiting, counts.held, Octets(counts.bytes))


@call("queue", "show", reads=True, needs=Needs.STORE, help="Shows a message in the queue and how its recipients fare.")
async def queue_show(ctx: AdminContext, id: Annotated[str, "Queue id.", Known("message")]) -> QueueView:
    item = await need(ctx.queue, "The queue").get(id)
    if item is None:
        not_found("message in the queue with the id", id)
    return QueueView(
        item.id, item.message_id, Moment(item.created), _next_attempt(item), item.attempts, Octets(item.size),
        item.held, path_text(item.sender), item.user, item.client, item.options.require_tls, item.give_up,
        _why_held(item) if item.parked is not None else "",
        tuple(
            RecipientView(str(r.recipient.address), _state(r.state, item.held), r.status, r.remote)
            for r in item.recipients
        ),
    )  # fmt: skip


def _state(state: RecipientState, held: bool) -> str:
    return "held" if held and state is RecipientState.WAITING else str(state.value)


@call(
    "queue",
    "source",
    reads=True,
    shows_mail=_whose,
    needs=Needs.STORE,
    help="Prints a message in the queue as it will be sent, line by line.",
)
async def queue_source(
    ctx: AdminContext,
    id: Annotated[str, "Queue id.", Known("message")],
    header: Annotated[bool, "Only its header."] = False,
) -> AsyncIterator[str]:
    queue = need(ctx.queue, "The queue")
    start, rest = 0, b""
    while piece := await queue.content(id, start, PIECE):
        start += len(piece)
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if header and not text:
                return
            yield text
        if len(rest) > PIECE:  # One endless line.
            yield rest.decode("utf-8", "replace")
            rest = b""
    if rest:
        yield rest.decode("utf-8", "replace")
    if not start:
        not_found("message in the queue with the id", id)


@call(
    "queue", "stats", reads=True, needs=Needs.STORE,
    help="Tells how long the queue is, and which destinations have the longest lines.",
)  # fmt: skip
async def queue_stats(
    ctx: AdminContext, limit: Annotated[int, "Most destinations to list.", MOST_LISTED] = 20
) -> QueueTotals:
    queue = need(ctx.queue, "The queue")
    counts = await queue.counts(ctx.clock.now())
    lanes = await queue.lanes(limit)
    return QueueTotals(
        counts.waiting, counts.held, counts.due, Octets(counts.bytes), Moment(counts.oldest or 0.0),
        tuple(
            DestinationRow(
                {LOCAL: "(mailboxes here)", MIXED: "(several)"}.get(lane.lane, lane.lane), lane.waiting, lane.held,
                Octets(lane.bytes), Moment(lane.oldest), Moment(lane.next_attempt or 0.0), lane.status,
            )
            for lane in lanes
        ),
    )  # fmt: skip


@call("queue", "run", needs=Needs.SERVER, help="Tries everything that is not held now.")
async def queue_run(ctx: AdminContext) -> Touched:
    queue, now = need(ctx.queue, "The queue"), ctx.clock.now()
    number = await queue.count(_FREE) if ctx.dry_run else await queue.try_now(_FREE, now)
    return _touched(ctx, number, "tried now", await _passed_over(queue, QueueFilter(), TRY))


@call(
    "queue", "try", needs=Needs.STORE,
    help="Tries to deliver now instead of at the next scheduled time; what is held must be released first.",
)  # fmt: skip
async def queue_try(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    return await _touch(ctx, ids, which, TRY, lambda queue, some: queue.try_now(some, ctx.clock.now()))


@call(
    "queue", "hold", needs=Needs.STORE, help="Keeps messages in the queue without trying, until they are released."
)  # fmt: skip
async def queue_hold(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    return await _touch(ctx, ids, which, HOLD, lambda queue, some: queue.hold(some, held=True))


@call("queue", "release", needs=Needs.STORE, help="Lets held messages be delivered.")
async def queue_release(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    return await _touch(ctx, ids, which, RELEASE, lambda queue, some: queue.hold(some, held=False))


async def _ask_delete(
    ctx: AdminContext, ids: tuple[str, ...], sender: str, to: str, status: str, older: Duration | None,
    size: Size | None, all: bool, report: bool,
) -> str:  # fmt: skip
    """How many, how much, and what becomes of the mail."""
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    queue = need(ctx.queue, "The queue")
    number = await queue.count(which)
    if not number:
        return ""
    some = await queue.select(which, _ASKED)
    known = f"{sum(item.size for item in some)} octets" if number <= _ASKED else f"more than {_ASKED} of them"
    messages = counted(number, "message")
    if report:
        return f"Return {messages} ({known}) to their senders with a report? They will not be delivered."
    return (
        f"Delete {messages} ({known})? They are lost: nobody gets them, no sender is told, and nothing restores them."
    )


@call(
    "queue",
    "delete",
    needs=Needs.STORE,
    help="Deletes messages from the queue; their senders are told only with --report.",
    confirm=_ask_delete,
)
async def queue_delete(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
    report: Annotated[bool, "Return them to their senders with a report."] = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    if report:
        now = ctx.clock.now()
        return await _touch(ctx, ids, which, RETURN, lambda queue, some: queue.give_up(some, DELETED, now))
    return await _touch(ctx, ids, which, DELETE, lambda queue, some: queue.delete(some))


def _chosen(
    ctx: AdminContext,
    ids: tuple[str, ...],
    sender: str,
    to: str,
    status: str,
    older: Duration | None,
    size: Size | None,
    everything: bool,
) -> QueueFilter:
    if not (ids or sender or to or status or older or size is not None or everything):
        raise CallError(Failure.USAGE, "say which messages: by id, by a filter such as --to, or with --all")
    return _filter(ctx, ids, sender, to, status, older, size)


async def _touch(
    ctx: AdminContext,
    ids: tuple[str, ...],
    which: QueueFilter,
    action: Action,
    do: Callable[[Queue, QueueFilter], Awaitable[int]],
) -> Touched:
    """Does it to those of `which` to whom it can be done; names those alone in the log, and in the answer the others.
    CallError: there is no such message, or it is held and cannot be tried."""
    queue = need(ctx.queue, "The queue")
    some = which if action.held is None else replace(which, held=action.held)
    passed_over = await _passed_over(queue, which, action)
    there = {item.id for item in await queue.select(QueueFilter(frozenset(ids)), len(ids))} if ids else set()
    missing = [id for id in dict.fromkeys(ids) if id not in there]
    failed = await _failures(queue, ids, action, missing)
    # Named before: what is deleted can be named no more.
    chosen = [] if ctx.dry_run else await queue.select(some, _LOGGED + 1)
    number = await queue.count(some) if ctx.dry_run else await do(queue, some)
    if ids and not number and len(missing) == len(set(ids)):
        raise CallError(Failure.NOT_FOUND, f"The queue holds no message {', '.join(ids)}")
    if ids and not number and action is TRY and passed_over:
        raise CallError(Failure.REFUSED, passed_over[0].upper() + passed_over[1:])
    for item in chosen[:_LOGGED]:
        ctx.log.info(
            "queue.touched", queue_id=item.id, action=action.verb, user=ctx.caller.name, from_=path_text(item.sender)
        )
    if number > _LOGGED:
        ctx.log.info("queue.touched-more", action=action.verb, user=ctx.caller.name, count=number - _LOGGED)
    absent = f"there was none for {len(missing)} of the ids" if missing else ""
    return replace(_touched(ctx, number, action.verb, absent, passed_over), failed=failed)


async def _failures(queue: Queue, ids: tuple[str, ...], action: Action, missing: list[str]) -> tuple[NotTouched, ...]:
    """To which of the named messages it cannot be done; looked at before it is."""
    rest = [NotTouched(id, "it is no longer in the queue") for id in missing[:_FAILED]]
    if ids and action.held is not None:
        for item in await queue.select(QueueFilter(frozenset(ids), held=not action.held), _FAILED):
            why = "it is not held" if action is RELEASE else f"it is held: {_why_held(item)}"
            rest.append(NotTouched(item.id, why))
    return tuple(rest[:_FAILED])


async def _passed_over(queue: Queue, which: QueueFilter, action: Action) -> str:
    """Why some of `which` are left as they are; empty if none is."""
    if action.held is None:
        return ""
    rest = replace(which, held=not action.held)
    number = await queue.count(rest)
    if not number:
        return ""
    if action is RELEASE:
        return f"{counted(number, 'message')} {_is(number)} not held" if which.ids else ""
    reasons = ", ".join(dict.fromkeys(_why_held(item) for item in await queue.select(rest, _EXAMPLES)))
    if action is HOLD:
        return f"{counted(number, 'message')} {_is(number)} held already: {reasons}"
    return f"{counted(number, 'message')} {_is(number)} held ({reasons}): `whimbrel queue release` first"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def _touched(ctx: AdminContext, number: int, verb: str, *rest: str) -> Touched:
    would = "would be" if ctx.dry_run else "was" if number == 1 else "were"
    return Touched(number, "; ".join([f"{counted(number, 'message')} {would} {verb}", *filter(None, rest)]))
