"""What SORT and THREAD compare, worked out once when a message arrives.

Standards: RFC 5256 2.1 (base subject), 2.2 (sent date), 3 (addr-mailbox of the first address), RFC 5957 (display forms)
"""

from dataclasses import dataclass

from whimbrel.mail.address_list import entries
from whimbrel.mail.encoded import words
from whimbrel.mail.remember import remember
from whimbrel.mail.subject import base_subject, is_reply

MAX_KEY = 500
"""Characters of one key; longer ones differ before."""


@dataclass(frozen=True, slots=True)
class SortKeys:
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


def sort_keys(from_: bytes | None, to: bytes | None, cc: bytes | None, subject: bytes | None) -> SortKeys:
    """Of unfolded field values; None for a field that is missing."""
    sender, shown_sender = _first(from_) if from_ else ("", "")
    addressee, shown_addressee = _first(to) if to else ("", "")
    base, reply = _subject(subject) if subject else ("", False)
    return SortKeys(sender, addressee, _first(cc)[0] if cc else "", shown_sender, shown_addressee, base, reply)


@remember(4096)
def _first(value: bytes) -> tuple[str, str]:
    """addr-mailbox and display form of the first address; a group has its name as its mailbox."""
    found = entries(value)
    if not found:
        return "", ""
    one = found[0]
    mailbox = words(one.mailbox or b"").casefold()[:MAX_KEY]
    if one.name:
        return mailbox, words(one.name).casefold()[:MAX_KEY]
    host = words(one.host or b"").casefold()
    return mailbox, f"{mailbox}@{host}"[:MAX_KEY] if host else mailbox


@remember(1024)
def _subject(value: bytes) -> tuple[str, bool]:
    text = words(value[:4000])
    return base_subject(text).casefold()[:MAX_KEY], is_reply(text)
