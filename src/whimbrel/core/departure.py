"""What a user's record says once the user has left: sign-in is off, and mail goes where it was said to go.

Standards: RFC 3463 3.2 (X.1.6), RFC 5321 4.2 (text of a reply)
"""

import re
from dataclasses import dataclass
from typing import Final

from whimbrel.core.record import ChangedBy, Part, value

_LONGEST: Final = 200
_PLAIN: Final = re.compile(r"[ -~]*\Z")


def reply_text(text: str) -> str:
    """Words that a reply of SMTP can carry to any client. ValueError."""
    text = text.strip()
    if len(text) > _LONGEST:
        raise ValueError(f"has {len(text)} characters; a reply takes at most {_LONGEST}")
    # RFC 5321 4.2: textstring; RFC 6531 3.7.4.1 has others only for clients that asked for them.
    if not _PLAIN.match(text):
        raise ValueError("has characters that not every mail server reads: write letters without accents")
    return text


def day(text: str) -> str:
    """A day as 2027-03-31, or nothing. ValueError."""
    text = text.strip()
    if text:
        from datetime import date  # Here: the command line's client checks nothing.

        try:
            if date.fromisoformat(text).isoformat() != text:
                raise ValueError
        except ValueError:
            raise ValueError(f"'{text}' is no day; write it as 2027-03-31") from None
    return text


@dataclass(frozen=True, slots=True)
class Departure(Part):
    """What becomes of a user who has left."""

    left: bool = value(
        False, listed=True, changed_by=ChangedBy.OWN_CALL,
        help="Has left: signs in no more, while mail is kept, forwarded or refused as the record says.",
    )  # fmt: skip
    refusal: str = value(
        "", check=reply_text, changed_by=ChangedBy.OWN_CALL,
        help="Text with which mail to a user who has left is refused (550 5.1.6); empty: it is not refused.",
    )  # fmt: skip
    given_to: str = value(
        "", changed_by=ChangedBy.OWN_CALL,
        help="Who got a copy of the mail when the user left, and the folder: bob@example.org/anna@example.org.",
    )  # fmt: skip
    delete_on: str = value(
        "", check=day, changed_by=ChangedBy.OWN_CALL,
        help="Day on which a user who has left is removed, as 2027-03-31; the mail is deleted for good a day later.",
    )  # fmt: skip
