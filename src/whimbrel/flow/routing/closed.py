"""Mailboxes that take no mail: of users who are disabled, and of those who left with a word for who writes to them."""

from whimbrel.core.departure import Departure
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError


def refuse_closed(account: Account) -> None:
    """MailError: the mailbox takes no mail, and why."""
    if not account.enabled:
        raise MailError(550, "5.2.1", "This mailbox is disabled")
    departure = account.part(Departure)
    if departure.left and departure.refusal:
        raise MailError(550, "5.1.6", departure.refusal)  # RFC 3463 3.2: it has moved, with no forwarding address.
