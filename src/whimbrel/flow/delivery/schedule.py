"""What follows from an attempt: when the next one is, who is given up, who hears of it. Pure.

Standards: RFC 5321 4.5.4.1 (retry, give-up time of 4-5 days), RFC 3461 4.1 and 5.2 (NOTIFY), RFC 3463 3.5 (X.4.7)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final
from zlib import crc32

from whimbrel.core.envelope import Notify
from whimbrel.core.queue import LOCAL, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.settings import DeliverySettings

SPREAD: Final = 60.0
"""Seconds after a pause over which what waited for it is dealt out."""
BUSY_PAUSES: Final = (1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds after which a mailbox that was busy is tried again, the last of them again and again: a folder that is being
rebuilt is whole soon, and whatever else is wrong here is nobody's but ours to mend."""
MAX_NOTICES: Final = 16
SHORTEST: Final = 1.0
"""Seconds between two attempts, whatever the settings say: a wait of nothing would be a flood."""


@dataclass(frozen=True, slots=True)
class AfterAttempt:
    """An entry after an attempt; `reported`: recipients whose sender gets a report now, each with its outcome."""

    item: QueueItem
    reported: tuple[tuple[QueueRecipient, Outcome], ...]
    outcomes: tuple[tuple[QueueRecipient, Outcome], ...]
    """All that were tried, for the log; those given up are FAILED."""


def after_attempt(
    item: QueueItem,
    outcomes: Mapping[int, Outcome],
    now: float,
    settings: DeliverySettings,
    *,
    paused_until: float | None = None,
) -> AfterAttempt:
    """`outcomes` by the place of the recipient in the entry; who is not among them was not tried and waits on.
    `paused_until`: no attempt was made, since the destination is known not to answer; until then none will be."""
    expired = now - item.created >= settings.give_up_after
    if paused_until is not None and not _put_off_past_end(item, settings):
        expired = False  # The destination is tried once more after this pause, whatever the clock did.
    notices = sum(now - item.created >= moment for moment in moments(settings)[:-1])
    recipients: list[QueueRecipient] = []
    reported: list[tuple[QueueRecipient, Outcome]] = []
    tried: list[tuple[QueueRecipient, Outcome]] = []
    for place, recipient in enumerate(item.recipients):
        outcome = outcomes.get(place)
        if outcome is None:
            recipients.append(recipient)
            continue
        if outcome.state is RecipientState.WAITING and expired:
            text = outcome.status.partition(" ")[2]
            outcome = replace(outcome, state=RecipientState.FAILED, status=f"5.4.7 Given up after too long: {text}")
        wanted = wants_report(recipient, outcome, notices=notices)
        recipient = replace(
            recipient,
            state=outcome.state,
            status=outcome.status,
            remote=outcome.remote,
            disposition=outcome.rest or recipient.disposition,
            reported_delay=max(recipient.reported_delay, notices if outcome.state is RecipientState.WAITING else 0),
        )
        if wanted:
            reported.append((recipient, outcome))
        recipients.append(recipient)
        tried.append((recipient, outcome))
    attempts = item.attempts + (paused_until is None)
    following = replace(
        item,
        recipients=tuple(recipients),
        attempts=attempts,
        urgent=False,
        next_attempt=next_attempt(replace(item, recipients=tuple(recipients)), attempts, now, settings)
        if paused_until is None
        else _before_the_end(item, paused_until + SPREAD * _chance(f"{item.id}/{now}"), now, settings),
    )
    return AfterAttempt(following, tuple(reported), tuple(tried))


def report_again(item: QueueItem, reported: Sequence[tuple[QueueRecipient, Outcome]]) -> QueueItem:
    """The entry if its reports could not be stored: who failed waits on, so that the sender hears of it next time;
    what was sent stays sent."""
    again = {id(recipient) for recipient, _ in reported}
    recipients = [
        replace(
            recipient,
            state=RecipientState.WAITING if recipient.state is RecipientState.FAILED else recipient.state,
            reported_delay=max(recipient.reported_delay - 1, 0),
        )
        if id(recipient) in again
        else recipient
        for recipient in item.recipients
    ]
    return replace(item, recipients=tuple(recipients))


def wants_report(recipient: QueueRecipient, outcome: Outcome, *, notices: int = 0) -> bool:
    """Whether the sender is to hear of this outcome; `notices`: how often he should have been notified by now that it
    waits. RFC 3461 4.1"""
    state = outcome.state
    notify = recipient.recipient.notify
    if Notify.NEVER in notify:
        return False
    if state is RecipientState.FAILED:
        return not notify or Notify.FAILURE in notify
    if state is RecipientState.WAITING:
        return notices > recipient.reported_delay and (not notify or Notify.DELAY in notify)
    # RFC 3461 5.2.2 (relayed), 5.2.3 (delivered); not where whoever has it now reports.
    return Notify.SUCCESS in notify and not outcome.dsn


def next_attempt(item: QueueItem, attempts: int, now: float, settings: DeliverySettings) -> float:
    """Up to a tenth later or earlier than the schedule says, so that what failed together is not tried together. The
    moment of giving up has an attempt of its own."""
    schedule = settings.retry_schedule
    if item.lane == LOCAL and not any(_is_full(each) for each in item.waiting):
        return _before_the_end(item, now + BUSY_PAUSES[min(attempts, len(BUSY_PAUSES)) - 1], now, settings)
    wait = max(float(schedule[min(attempts, len(schedule)) - 1]), SHORTEST) if schedule else 900.0
    at = now + wait * (0.9 + 0.2 * _chance(f"{item.id}/{attempts}"))
    return _before_the_end(item, at, now, settings)


def _is_full(recipient: QueueRecipient) -> bool:
    """A mailbox over its quota is not had soon. RFC 3463 3.3 (X.2.2)"""
    return recipient.status.startswith("4.2.2")


def moments(settings: DeliverySettings) -> tuple[float, ...]:
    """Ages at which something is to be said of an entry, whether or not it can be tried: the notices, and its end."""
    return (
        *sorted({float(wait) for wait in (settings.notify_after, *settings.notify_again[:MAX_NOTICES])}),
        float(settings.give_up_after),
    )


def is_moment(item: QueueItem, now: float, settings: DeliverySettings) -> bool:
    """One of them has come since its attempt was planned."""
    return _put_off_past_end(item, settings) or any(
        item.next_attempt <= item.created + age <= now for age in moments(settings)
    )


def _put_off_past_end(item: QueueItem, settings: DeliverySettings) -> bool:
    """It was to end, and waited for the end of a pause instead."""
    return item.next_attempt > item.created + settings.give_up_after


def _before_the_end(item: QueueItem, at: float, now: float, settings: DeliverySettings) -> float:
    end = item.created + settings.give_up_after
    return end if now < end < at else at


def _chance(seed: str) -> float:
    """From 0 to 1, so that a test can foretell it."""
    return crc32(seed.encode()) / 0xFFFFFFFF
