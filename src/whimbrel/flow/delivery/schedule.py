"""What follows from an attempt: when the next one is, who is given up, who hears of it. Pure.

Standards: RFC 5321 4.5.4.1 (retry, give-up time of 4-5 days), RFC 3461 4.1 and 5.2 (NOTIFY), RFC 3463 3.5 (X.4.7)
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from zlib import crc32

from whimbrel.core.queue import Notify, QueueItem, QueueRecipient, RecipientState
from whimbrel.flow.delivery.outcome import Outcome
from whimbrel.flow.delivery.settings import DeliverySettings


@dataclass(frozen=True, slots=True)
class Settled:
    """An entry after an attempt; `told` are the recipients whose sender gets a report now, each with its outcome."""

    item: QueueItem
    told: tuple[tuple[QueueRecipient, Outcome], ...]
    outcomes: tuple[tuple[QueueRecipient, Outcome], ...]
    """All that were tried, for the log; those given up are FAILED."""


def settle(item: QueueItem, outcomes: Mapping[int, Outcome], now: float, settings: DeliverySettings) -> Settled:
    """`outcomes` by the place of the recipient in the entry; who is not among them was not tried and waits on."""
    expired = now - item.created >= settings.give_up_after
    late = now - item.created >= settings.notify_after
    recipients: list[QueueRecipient] = []
    told: list[tuple[QueueRecipient, Outcome]] = []
    tried: list[tuple[QueueRecipient, Outcome]] = []
    for place, recipient in enumerate(item.recipients):
        outcome = outcomes.get(place)
        if outcome is None:
            recipients.append(recipient)
            continue
        if outcome.state is RecipientState.WAITING and expired:
            text = outcome.status.partition(" ")[2]
            outcome = replace(outcome, state=RecipientState.FAILED, status=f"5.4.7 Given up after too long: {text}")
        wanted = wants_report(recipient, outcome.state, late=late)
        recipient = replace(
            recipient,
            state=outcome.state,
            status=outcome.status,
            remote=outcome.remote,
            reported_delay=recipient.reported_delay or (late and outcome.state is RecipientState.WAITING),
        )
        if wanted:
            told.append((recipient, outcome))
        recipients.append(recipient)
        tried.append((recipient, outcome))
    attempts = item.attempts + 1
    following = replace(
        item,
        recipients=tuple(recipients),
        attempts=attempts,
        next_attempt=next_attempt(item, attempts, now, settings),
    )
    return Settled(following, tuple(told), tuple(tried))


def untold(item: QueueItem, told: Sequence[tuple[QueueRecipient, Outcome]]) -> QueueItem:
    """The entry if its reports could not be stored: who failed waits on, so that the sender hears of it next time;
    what was sent stays sent."""
    again = {id(recipient) for recipient, _ in told}
    recipients = [
        replace(
            one,
            state=RecipientState.WAITING if one.state is RecipientState.FAILED else one.state,
            reported_delay=False,
        )
        if id(one) in again
        else one
        for one in item.recipients
    ]
    return replace(item, recipients=tuple(recipients))


def wants_report(recipient: QueueRecipient, state: RecipientState, *, late: bool) -> bool:
    """Whether the sender is to hear of this state of a recipient. RFC 3461 4.1"""
    notify = recipient.recipient.notify
    if Notify.NEVER in notify:
        return False
    if state is RecipientState.FAILED:
        return not notify or Notify.FAILURE in notify
    if state is RecipientState.WAITING:
        return late and not recipient.reported_delay and (not notify or Notify.DELAY in notify)
    return Notify.SUCCESS in notify  # RFC 3461 5.2.2 (relayed), 5.2.3 (delivered)


def next_attempt(item: QueueItem, attempts: int, now: float, settings: DeliverySettings) -> float:
    """Up to a tenth later or earlier than the schedule says, so that what failed together is not tried together. The
    moment of giving up has an attempt of its own."""
    schedule = settings.retry_schedule
    wait = float(schedule[min(attempts, len(schedule)) - 1]) if schedule else 900.0
    spread = crc32(f"{item.id}/{attempts}".encode()) / 0xFFFFFFFF  # Chance that a test can foretell.
    at = now + wait * (0.9 + 0.2 * spread)
    end = item.created + settings.give_up_after
    return end if now < end < at else at
