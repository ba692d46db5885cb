"""`whimbrel trace`: a message's whole story, from the logs and the queue (mission B13).

Received, refused, looked at, placed, each attempt, reports and forwarded copies with ids of their own; what the
queue still has of it comes last.
"""

import re
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, replace
from functools import partial
from typing import Annotated, Final

from whimbrel.core.address import as_recorded
from whimbrel.core.directory import Kind
from whimbrel.core.log import LogLine, LogQuery
from whimbrel.core.queue import QueueItem, RecipientState
from whimbrel.services.admin.calls import ARGUMENT, CallError, Failure, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.numbers import Between
from whimbrel.services.admin.server.logs import MOST, Since, moment, pages
from whimbrel.services.admin.server.moments import shown as _when
from whimbrel.services.admin.views import Moment

LOGS: Final = ("mail", "spam", "warning", "error", "debug")
MESSAGES: Final = Between(1, 200, such_as=20)
"""Messages told of at once, the newest; those that they caused come with them."""
CAUSED: Final = 20
"""Messages beside these that came of them: reports, copies."""
FOLLOWED: Final = 400
_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{8}(?:\.[0-9a-z]+)*\Z")
_HOSTS: Final = re.compile(r"[^\s\[\]()<>,;]+")
_AGO: Final = 7 * 86_400.0
_CLOCKS: Final = 300.0
"""Seconds by which the clock may have been set since an id was made."""


@dataclass(frozen=True, slots=True)
class TraceStep:
    """One thing that happened to a message. `text` is all of it, for people."""

    id: str
    at: Moment
    log: str
    """`queue`: what it waits for now; `now`: where it lies, or has gone to."""
    event: str
    fields: dict[str, str]
    causes: str
    """The id of a message that came of it: a report, a forwarded copy."""
    text: str


@call(
    "trace",
    reads=True,
    needs=Needs.STORE,
    help="Tells a message's whole story: received, checked, routed, delivered, reported.",
)
async def trace(
    ctx: AdminContext,
    id: Annotated[str, "Its queue id, or its message-id.", ARGUMENT] = "",
    sender: Annotated[str, "Messages from this address or domain."] = "",
    to: Annotated[str, "Messages to this address or domain."] = "",
    message_id: Annotated[str, "The message with this Message-ID."] = "",
    subject: Annotated[
        str, "Messages with this text in the subject; the log has subjects if smtp/log-subject is on."
    ] = "",
    host: Annotated[str, "Messages from this client or to this server: an IP address or a host name."] = "",
    since: Since = "",
    follow: Annotated[bool, "Go on with what happens to it until interrupted."] = False,
    skip: Annotated[int, "Leave out the newest so many messages: to go on where a search ended.", Between(0, MOST)] = 0,
    limit: Annotated[int, "Most messages to tell of, the newest.", MESSAGES] = 20,
) -> AsyncIterator[TraceStep]:
    id = id.strip()
    if "@" in id:
        id, message_id = "", id
    elif _ID.match(id.lower()):
        id = id.lower()
    by, reached = _recorded(await _whole(ctx, sender)), _recorded(await _whole(ctx, to))
    sought = Sought(by, reached, message_id, subject.strip(), host.strip().lower())
    if not (id or any(astuple(sought))):
        raise CallError(
            Failure.USAGE, "say which message: by its queue id, or by --from, --to, --message-id, --subject, --host"
        )
    ids, more = ([id], 0) if id else await _find(ctx, sought, since, skip, limit)
    if more:
        ctx.warnings.append(f"{more} older ones fit too: they come by --skip {skip + limit}")
    known: dict[str, None] = {}
    steps: list[TraceStep] = []
    seen: set[str] = set()
    waiting = list(ids)
    while waiting and len(known) < limit + CAUSED:
        known[queue_id := waiting.pop(0)] = None
        lines = await _story(ctx, queue_id, moment(ctx, "since", since))
        # An id in a field that came from outside makes no line one of that message.
        own_steps = [_step(queue_id, line) for line in lines if queue_id in _ids(line)]
        # A line that names two messages is told once.
        steps += [step for step in own_steps if step.text not in seen]
        seen |= {step.text for step in own_steps}
        waiting += [step.causes for step in own_steps if step.causes and step.causes not in (*known, *waiting)]
    queued = [step for queue_id in known if (step := await _queued(ctx, queue_id)) is not None]
    if not steps and not queued and not follow:
        raise await _nothing(ctx, id, sought)
    for step in sorted(steps, key=lambda step: step.at):
        yield step
    if not follow:  # Else what follows is news of it.
        for step in _now(ctx, known, steps, {each.id for each in queued}):
            yield step
    for step in queued:
        yield step
    if follow:
        async for step in _follow(ctx, known):
            yield step


async def _whole(ctx: AdminContext, text: str) -> str:
    """As the log has it: an address, or a domain; a bare name is one of the primary domain."""
    name = _recorded(text)
    if not name or text.strip().startswith("@") or any(mark in name for mark in "@.*"):
        return name
    if await ctx.editor.entry(Kind.DOMAIN, name) is not None:
        return name
    return f"{name}@{(await ctx.directory.primary()).name}"


def _recorded(address: str) -> str:
    return as_recorded(address.strip()).removeprefix("@")


async def _follow(ctx: AdminContext, known: dict[str, None]) -> AsyncIterator[TraceStep]:
    async for line in need(ctx.logs, "Reading logs").follow(LOGS):
        queue_id = next((queue_id for queue_id in known if queue_id in line.text and queue_id in _ids(line)), "")
        if queue_id:
            step = _step(queue_id, line)
            if step.causes and len(known) < FOLLOWED:
                known[step.causes] = None
            yield step


@dataclass(frozen=True, slots=True)
class Sought:
    """What is said of a message whose id nobody knows; all of it must hold."""

    sender: str
    to: str
    message_id: str
    subject: str
    host: str

    def queries(self, since: float) -> Iterator[tuple[LogQuery, Callable[[LogLine], bool]]]:
        """For each thing said: lines that may tell of it, and whether one does."""
        query = LogQuery(("mail",), since=since, newest_first=True)
        words = (
            (self.sender, ("From",)),
            (self.to, ("To", "Recipient", "Mailbox")),
            (self.message_id, ("Msg-Id", "Message-ID")),
        )
        for word, labels in words:
            if word:
                yield replace(query, words=(word,)), partial(_tells, word=word, labels=labels)
        if self.host:
            yield replace(query, words=(self.host,)), partial(_is_of_host, host=self.host)
        if self.subject:
            yield replace(query, text=self.subject), partial(_has_subject, text=self.subject.casefold())


async def _find(ctx: AdminContext, sought: Sought, since: str, skip: int, limit: int) -> tuple[list[str], int]:
    """The ids of the newest messages that fit all that is said, oldest first; and how many more there are before."""
    begin = moment(ctx, "since", since) or ctx.clock.now() - _AGO
    chosen: dict[str, None] | None = None
    for query, tells in sought.queries(begin):
        lines = (await pages(ctx, query, MOST)).lines
        matching = {queue_id: None for line in lines if tells(line) and (queue_id := _fields(line).get("Queue-ID"))}
        chosen = matching if chosen is None else {queue_id: None for queue_id in chosen if queue_id in matching}
    fitting = list(chosen or {})[skip:]
    return fitting[:limit][::-1], len(fitting[limit:])


def _tells(line: LogLine, word: str, labels: tuple[str, ...]) -> bool:
    fields = _fields(line)
    return any(_names(fields.get(label, ""), word) for label in labels)


def _is_of_host(line: LogLine, host: str) -> bool:
    """The client that brought it, or the server that was called: `mx.example.org [192.0.2.1]`, or one of both."""
    fields = _fields(line)
    named = f"{fields.get('Sender-Host', '')} {fields.get('Remote-Host', '')}".lower()
    return host in _HOSTS.findall(named)


def _has_subject(line: LogLine, text: str) -> bool:
    """It is the last of its line, and may hold what looks like fields."""
    return line.title in ("Recv", "Message") and text in line.text.partition(", Subject: ")[2].casefold()


def _names(value: str, word: str) -> bool:
    """`value` (`<a@x.test>, <b@y.test>`) names an address, its domain, or a message-id."""
    value, word = value.lower(), word.strip().strip("<>").lower()
    return value == word or f"<{word}>" in value or f"@{word.removeprefix('@')}>" in value


async def _story(ctx: AdminContext, queue_id: str, since: float) -> tuple[LogLine, ...]:
    """All lines that tell of a message, the oldest first."""
    if not since and _ID.match(queue_id):
        made = int(queue_id[:8], 16)  # An id begins with the second it was made.
        since = made - _CLOCKS if made <= ctx.clock.now() + _CLOCKS else 0.0
    return (await pages(ctx, LogQuery(LOGS, since=max(0.0, since), words=(queue_id,)), MOST)).lines


def _step(queue_id: str, line: LogLine) -> TraceStep:
    fields = _fields(line)
    own = fields.get("Queue-ID", queue_id)
    causes = ""
    if fields.get("Cause") == queue_id:  # `Caused: Queue-ID: the new one, Cause: this one`
        causes = own
    elif line.title == "Report" and own == queue_id:
        causes = fields.get("Report", "")
    shown = ", ".join(f"{label}: {value}" for label, value in fields.items() if label != "Queue-ID")
    where = "" if line.log == "mail" else f"{line.log}: "
    text = f"{_when(line.at)}  {own}  {where}{line.title or line.text}{f': {shown}' if shown else ''}"
    return TraceStep(own, Moment(line.at), line.log, line.title, fields, causes, text)


async def _queued(ctx: AdminContext, queue_id: str) -> TraceStep | None:
    """What the queue has of it now."""
    item = await ctx.queue.get(queue_id) if ctx.queue is not None else None
    if item is None:
        return None
    fields = dict(_waits(item))
    shown = ", ".join(f"{label}: {value}" for label, value in fields.items())
    now = ctx.clock.now()
    return TraceStep(queue_id, Moment(now), "queue", "Queued", fields, "", f"{_when(now)}  {queue_id}  queue: {shown}")


_GONE: Final = {"relayed": "sent on", "failed": "returned to its sender", "discarded": "discarded"}


def _now(
    ctx: AdminContext, ids: Iterable[str], steps: Sequence[TraceStep], queued: Collection[str]
) -> Iterator[TraceStep]:
    """Where each message is: in which mailbox and folder it was put (its owner may have moved it since), or whither it
    went. What waits is told by its entry in the queue."""
    now = ctx.clock.now()
    for queue_id in ids:
        places = dict.fromkeys(
            place for step in steps if step.id == queue_id and step.event == "Sent" for place in _place(step.fields)
        )
        if not places:
            continue
        fields = {f"Place-{number}": place for number, place in enumerate(list(places)[:50], 1)}
        if queue_id in queued:
            fields["Rest"] = "in the queue"
        shown = "; ".join(fields.values())
        text = f"{_when(now)}  {queue_id}  now: {shown}"
        yield TraceStep(queue_id, Moment(now), "now", "Now", fields, "", text)


def _place(fields: Mapping[str, str]) -> Iterator[str]:
    result, recipient = fields.get("Result", ""), fields.get("Recipient", "")
    mailbox, folder = fields.get("Mailbox", "").strip("<>"), fields.get("Folder", "")
    if result == "delivered" and mailbox:
        yield f"in the mailbox {mailbox}, folder {folder or 'INBOX'}"
    elif result == "relayed" and (remote := fields.get("Remote-Host", "")):
        yield f"sent on to {remote} for {recipient}"
    elif result in _GONE:
        yield f"{_GONE[result]} for {recipient}"


def _waits(item: QueueItem) -> Iterator[tuple[str, str]]:
    yield "State", (item.reason if item.parked is not None else "held") if item.held else "waiting"
    yield "Attempts", str(item.attempts)
    if item.parked is not None and item.parked.until is not None:
        yield "Until", _when(item.parked.until)
    if not item.held:
        yield "Next-Attempt", _when(item.next_attempt)
    for number, recipient in enumerate(item.recipients[:50], 1):
        if recipient.state is RecipientState.WAITING:
            last = f" ({recipient.status})" if recipient.status else ""
            yield f"Recipient-{number}", f"<{recipient.recipient.address}>{last}"


async def _nothing(ctx: AdminContext, id: str, sought: Sought) -> CallError:
    oldest = await pages(ctx, LogQuery(("mail",)), 1)
    reach = f"the mail log reaches back to {_when(oldest.lines[0].at)}" if oldest.lines else "the mail log is empty"
    what = id or sought.message_id or sought.sender or sought.to or sought.host or sought.subject
    text = f"Nothing is known of a message '{what}'; {reach}"
    if sought.subject and ctx.config.get("smtp/log-subject") == "no":
        text += "; it has no subjects while smtp/log-subject is off"
    if oldest.note:
        text += f". {oldest.note}"
    return CallError(Failure.NOT_FOUND, text)


def _fields(line: LogLine) -> dict[str, str]:
    """The first of each name counts: what came from outside stands behind ours."""
    values: dict[str, str] = {}
    for label, value in line.fields:
        values.setdefault(label, value)
    return values


def _ids(line: LogLine) -> Iterable[str]:
    fields = _fields(line)
    return (fields.get("Queue-ID", ""), fields.get("Cause", ""), fields.get("Report", ""))
