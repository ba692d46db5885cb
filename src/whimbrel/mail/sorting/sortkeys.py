"""What SORT and THREAD compare, worked out once when a message arrives.

Standards: RFC 5256 2.1 (base subject), 2.2 (sent date), 3 (addr-mailbox of the first address), RFC 5957 (display forms)
"""

from typing import NamedTuple

from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.decoding.remember import remember
from whimbrel.mail.sorting.subject import undecorated
from whimbrel.mail.structure.address_list import entries

MAX_KEY = 500
"""Characters of one key; longer ones differ before."""


class SortKeys(NamedTuple):
    """All text is decoded and case-folded."""

    from_: str
    to: str
    cc: str
    display_from: str
    display_to: str
    subject: str
    """The base subject."""
    reply: bool
    """The subject was that of a reply or forward."""


def sort_keys(from_: bytes | None, to: bytes | None, cc: bytes | None, subject: str) -> SortKeys:
    """Of unfolded field values, None for a field that is missing, and of the decoded subject."""
    sender, shown_sender = _first(from_) if from_ else ("", "")
    addressee, shown_addressee = _first(to) if to else ("", "")
    base, reply = undecorated(subject) if subject else ("", False)
    base, copied = base.casefold()[:MAX_KEY], _first(cc)[0] if cc else ""
    return SortKeys(sender, addressee, copied, shown_sender, shown_addressee, base, reply)


@remember(4096)
def _first(value: bytes) -> tuple[str, str]:
    """addr-mailbox and display form of the first address; a group has its name as its mailbox."""
    listed = entries(value)
    if not listed:
        return "", ""
    first = listed[0]
    mailbox = words(first.mailbox or b"").casefold()[:MAX_KEY]
    if first.name:
        return mailbox, words(first.name).casefold()[:MAX_KEY]
    host = words(first.host or b"").casefold()
    return mailbox, f"{mailbox}@{host}"[:MAX_KEY] if host else mailbox
