"""Values of the queue."""

from whimbrel.core.address import Address
from whimbrel.core.envelope import Recipient
from whimbrel.core.queue import QueueItem, QueueRecipient, RecipientState


def test_only_those_who_wait_are_waiting() -> None:
    recipients = tuple(QueueRecipient(Recipient(Address(state.value, "x")), state) for state in RecipientState)
    item = QueueItem("q", None, recipients, 0.0, 0.0)
    assert [r.recipient.address.local for r in item.waiting] == ["waiting"]
