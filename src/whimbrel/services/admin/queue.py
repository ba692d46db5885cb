"""Calls about the queue (mission S44 to S47)."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Final

from whimbrel.core.address import as_recorded, path_text
from whimbrel.core.queue import LOCAL, MIXED, Queue, QueueFilter, QueueItem, RecipientState
from whimbrel.core.values import Duration, Size
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, FieldFault, Known, Needs, Whose, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Octets


@dataclass(frozen=True, slots=True)
class QueueRow:
    """The columns by importance: a narrow terminal has no room for the last."""

    id: str
    sender: str
    recipients: tuple[str, ...]
    """Those that still wait."""
    status: str
    """Why it is parked (quarantine, scheduled, ...), or how the last attempt went."""
    next_attempt: Moment
    attempts: int
    size: Octets
    held: bool
    created: Moment
    message_id: str
    client: str
    """IP address of the host that brought it."""


@dataclass(frozen=True, slots=True)
class QueuePage:
    items: tuple[QueueRow, ...]
    more: str
    waiting: int
    """In the whole queue."""
    held: int
    size: Octets


@dataclass(frozen=True, slots=True)
class RecipientView:
    address: str
    state: str
    status: str
    remote: str


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
    status: str


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
class Touched:
    count: int
    text: str


DELETED: Final = "5.7.1 Deleted from the queue by an administrator"
"""RFC 3463 3.8, X.7.1: refused as this site wants it; no address is wrong, and waiting would not have helped."""
PIECE: Final = 256 * 1024
_LOGGED: Final = 1000
"""Messages that the mail log names, one line each, when something is done to many at once."""
_ASKED: Final = 10_000
"""Messages whose sizes are added up for a question."""
_NAMED: Final = 20
"""Recipients that the security log names."""

Ids = Annotated[tuple[str, ...], "Queue ids.", Known("message"), ARGUMENT]
MoreIds = Annotated[tuple[str, ...], "Only these queue ids.", Known("message")]
Sender = Annotated[str, "Part of the sender's address; <> means reports."]
To = Annotated[str, "Part of a recipient's address."]
Status = Annotated[str, "Part of how the last attempt went."]
Older = Annotated[Duration | None, "Only messages that have waited so long, such as 4h."]
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
    status = item.reason
    return QueueRow(
        item.id, path_text(item.sender), tuple(str(recipient.recipient.address) for recipient in waiting), status,
        Moment(item.next_attempt), item.attempts, Octets(item.size), item.held, Moment(item.created),
        item.message_id, item.client,
    )  # fmt: skip


async def _whose(ctx: AdminContext, id: str, **_values: object) -> Whose:
    """Of its sender and its recipients, here and elsewhere."""
    item = await need(ctx.queue, "The queue").get(id)
    if item is None:
        not_found("message in the queue with the id", id)
    names = [path_text(item.sender), *(str(r.recipient.address) for r in item.recipients[:_NAMED])]
    return Whose(f"message {id}: {', '.join(names)}")


@call(
    "queue", "list", reads=True, needs=Needs.STORE, names=("message", "id"),
    help="Lists the messages that wait, oldest first.",
)  # fmt: skip
async def queue_list(
    ctx: AdminContext,
    sender: Sender = "",
    to: To = "",
    status: Status = "",
    older: Older = None,
    size: Larger = None,
    ids: MoreIds = (),
    held: Annotated[bool | None, "Only messages that are held, or are not."] = None,
    limit: Annotated[int, "Most to list."] = 1000,
    after: Annotated[str, "Where the list before this one ended."] = "",
) -> QueuePage:
    queue = need(ctx.queue, "The queue")
    which = _filter(ctx, ids, sender, to, status, older, size, held)
    if after and not (after.isascii() and after.isdigit() and len(after) < 10):
        raise CallError(Failure.USAGE, f"after: '{after}' is not where a list ended", FieldFault("after", "is unknown"))
    limit, offset = max(1, min(limit, 10_000)), int(after or 0)
    items = await queue.select(which, limit + 1, offset)
    counts = await queue.counts(ctx.clock.now())
    more = str(offset + limit) if len(items) > limit else ""
    return QueuePage(tuple(map(_row, items[:limit])), more, counts.waiting, counts.held, Octets(counts.bytes))


@call("queue", "show", reads=True, needs=Needs.STORE, help="Shows a message in the queue and how its recipients fare.")
async def queue_show(ctx: AdminContext, id: Annotated[str, "Queue id.", Known("message")]) -> QueueView:
    item = await need(ctx.queue, "The queue").get(id)
    if item is None:
        not_found("message in the queue with the id", id)
    return QueueView(
        item.id, item.message_id, Moment(item.created), Moment(item.next_attempt), item.attempts, Octets(item.size),
        item.held, path_text(item.sender), item.user, item.client, item.options.require_tls, item.give_up,
        item.parked.reason if item.parked is not None else "",
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
async def queue_stats(ctx: AdminContext, limit: Annotated[int, "Most destinations to list."] = 20) -> QueueTotals:
    queue = need(ctx.queue, "The queue")
    counts = await queue.counts(ctx.clock.now())
    lanes = await queue.lanes(max(1, min(limit, 10_000)))
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
    queue, which = need(ctx.queue, "The queue"), QueueFilter(held=False)
    number = await queue.count(which) if ctx.dry_run else await queue.try_now(which, ctx.clock.now())
    return _touched(ctx, (), number, "tried now")


@call(
    "queue", "try", needs=Needs.STORE, help="Tries to deliver now instead of at the next scheduled time."
)  # fmt: skip
async def queue_try(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    return await _touch(ctx, ids, which, "tried now", lambda queue: queue.try_now(which, ctx.clock.now()))


@call(
    "queue", "hold", needs=Needs.STORE, help="Keeps messages in the queue without trying, until they are released."
)  # fmt: skip
async def queue_hold(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    return await _touch(ctx, ids, which, "held", lambda queue: queue.hold(which, held=True))


@call("queue", "release", needs=Needs.STORE, help="Lets held messages be delivered.")
async def queue_release(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    size: Larger = None, all: All = False,
) -> Touched:  # fmt: skip
    which = _chosen(ctx, ids, sender, to, status, older, size, all)
    return await _touch(ctx, ids, which, "released", lambda queue: queue.hold(which, held=False))


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
    messages = "1 message" if number == 1 else f"{number} messages"
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
        return await _touch(ctx, ids, which, "returned", lambda queue: queue.give_up(which, DELETED, now))
    return await _touch(ctx, ids, which, "deleted", lambda queue: queue.delete(which))


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
    ctx: AdminContext, ids: tuple[str, ...], which: QueueFilter, verb: str, do: Callable[[Queue], Awaitable[int]]
) -> Touched:
    queue = need(ctx.queue, "The queue")
    if ctx.dry_run:
        return _touched(ctx, ids, await queue.count(which), verb)
    # Named before: what is deleted can be named no more.
    chosen = await queue.select(which, _LOGGED + 1)
    number = await do(queue)
    for item in chosen[:_LOGGED]:
        ctx.log.info("queue.touched", queue_id=item.id, action=verb, user=ctx.caller.name, from_=path_text(item.sender))
    if number > _LOGGED:
        ctx.log.info("queue.touched-more", action=verb, user=ctx.caller.name, count=number - _LOGGED)
    return _touched(ctx, ids, number, verb)


def _touched(ctx: AdminContext, ids: tuple[str, ...], number: int, verb: str) -> Touched:
    if ids and not number:
        raise CallError(Failure.NOT_FOUND, f"The queue holds no message {', '.join(ids)}")
    missing = len(set(ids)) - number
    rest = f"; there was none for {missing} of the ids"
    messages = "1 message" if number == 1 else f"{number} messages"
    would = "would be" if ctx.dry_run else "was" if number == 1 else "were"
    return Touched(number, f"{messages} {would} {verb}{rest if missing > 0 else ''}")
