"""Calls about the queue (mission S44 to S47)."""

from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.address import path_text
from whimbrel.core.queue import Queue, QueueFilter, QueueItem, RecipientState
from whimbrel.core.values import Duration
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, Known, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Octets


@dataclass(frozen=True, slots=True)
class QueueRow:
    id: str
    created: Moment
    next_attempt: Moment
    attempts: int
    size: Octets
    held: bool
    sender: str
    recipients: tuple[str, ...]
    """Those that still wait."""
    status: str
    """How the last attempt went."""


@dataclass(frozen=True, slots=True)
class QueuePage:
    messages: tuple[QueueRow, ...]
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
    recipients: tuple[RecipientView, ...]


@dataclass(frozen=True, slots=True)
class Touched:
    count: int
    text: str


Ids = Annotated[tuple[str, ...], "Queue ids.", Known("message"), ARGUMENT]
Sender = Annotated[str, "Part of the sender's address."]
To = Annotated[str, "Part of a recipient's address."]
Status = Annotated[str, "Part of how the last attempt went."]
Older = Annotated[Duration | None, "Only messages that have waited so long, such as 4h."]
All = Annotated[bool, "All messages; needed where nothing else says which."]


def _filter(
    ctx: AdminContext, ids: tuple[str, ...], sender: str, to: str, status: str, older: Duration | None
) -> QueueFilter:
    older_than = None if older is None else ctx.clock.now() - float(older)
    return QueueFilter(frozenset(ids), sender, to, status, older_than)


def _row(item: QueueItem) -> QueueRow:
    waiting = item.waiting
    status = next((recipient.status for recipient in waiting if recipient.status), "")
    return QueueRow(
        item.id, Moment(item.created), Moment(item.next_attempt), item.attempts, Octets(item.size), item.held,
        path_text(item.sender), tuple(str(recipient.recipient.address) for recipient in waiting), status,
    )  # fmt: skip


@call("queue", "list", reads=True, help="Lists the messages that wait, oldest first.")
async def queue_list(
    ctx: AdminContext,
    sender: Sender = "",
    to: To = "",
    status: Status = "",
    older: Older = None,
    held: Annotated[bool | None, "Only messages that are held, or are not."] = None,
    limit: Annotated[int, "Most to list."] = 1000,
    offset: Annotated[int, "How many to pass over."] = 0,
) -> QueuePage:
    queue = need(ctx.queue, "The queue")
    which = _filter(ctx, (), sender, to, status, older)
    which = QueueFilter(which.ids, sender, to, status, which.older_than, held)
    found = await queue.select(which, max(1, min(limit, 10_000)), max(0, offset))
    counts = await queue.counts(ctx.clock.now())
    return QueuePage(tuple(map(_row, found)), counts.waiting, counts.held, Octets(counts.bytes))


@call("queue", "show", reads=True, help="Shows a message in the queue and how its recipients fare.")
async def queue_show(ctx: AdminContext, id: Annotated[str, "Queue id.", Known("message")]) -> QueueView:
    item = await need(ctx.queue, "The queue").get(id)
    if item is None:
        not_found("message in the queue with the id", id)
    return QueueView(
        item.id, item.message_id, Moment(item.created), Moment(item.next_attempt), item.attempts, Octets(item.size),
        item.held, path_text(item.sender), item.user, item.client,
        tuple(
            RecipientView(str(r.recipient.address), _state(r.state, item.held), r.status, r.remote)
            for r in item.recipients
        ),
    )  # fmt: skip


def _state(state: RecipientState, held: bool) -> str:
    return "held" if held and state is RecipientState.WAITING else str(state.value)


@call("queue", "try", help="Tries to deliver now instead of at the next scheduled time.")
async def queue_try(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    all: All = False,
) -> Touched:  # fmt: skip
    queue, which = _chosen(ctx, ids, sender, to, status, older, all)
    number = await _count(queue, which) if ctx.dry_run else await queue.try_now(which, ctx.clock.now())
    return _touched(ctx, ids, number, "tried now")


@call("queue", "hold", help="Keeps messages in the queue without trying, until they are released.")
async def queue_hold(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    all: All = False,
) -> Touched:  # fmt: skip
    queue, which = _chosen(ctx, ids, sender, to, status, older, all)
    number = await _count(queue, which) if ctx.dry_run else await queue.hold(which, held=True)
    return _touched(ctx, ids, number, "held")


@call("queue", "release", help="Lets held messages be delivered.")
async def queue_release(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    all: All = False,
) -> Touched:  # fmt: skip
    queue, which = _chosen(ctx, ids, sender, to, status, older, all)
    number = await _count(queue, which) if ctx.dry_run else await queue.hold(which, held=False)
    return _touched(ctx, ids, number, "released")


@call(
    "queue",
    "delete",
    help="Deletes messages from the queue; their senders are not told.",
    confirm="Delete these messages? This cannot be undone.",
)
async def queue_delete(
    ctx: AdminContext, ids: Ids = (), sender: Sender = "", to: To = "", status: Status = "", older: Older = None,
    all: All = False,
) -> Touched:  # fmt: skip
    queue, which = _chosen(ctx, ids, sender, to, status, older, all)
    number = await _count(queue, which) if ctx.dry_run else await queue.delete(which)
    return _touched(ctx, ids, number, "deleted")


def _chosen(
    ctx: AdminContext,
    ids: tuple[str, ...],
    sender: str,
    to: str,
    status: str,
    older: Duration | None,
    everything: bool,
) -> tuple[Queue, QueueFilter]:
    if not (ids or sender or to or status or older or everything):
        raise CallError(Failure.USAGE, "say which messages: by id, by a filter such as --to, or with --all")
    return need(ctx.queue, "The queue"), _filter(ctx, ids, sender, to, status, older)


async def _count(queue: Queue, which: QueueFilter) -> int:
    number = 0
    while page := await queue.select(which, 1000, number):
        number += len(page)
    return number


def _touched(ctx: AdminContext, ids: tuple[str, ...], number: int, verb: str) -> Touched:
    if ids and not number:
        raise CallError(Failure.NOT_FOUND, f"The queue holds no message {', '.join(ids)}")
    messages = "1 message" if number == 1 else f"{number} messages"
    would = "would be" if ctx.dry_run else "was" if number == 1 else "were"
    return Touched(number, f"{messages} {would} {verb}")
