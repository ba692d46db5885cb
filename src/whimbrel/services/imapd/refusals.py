"""Errors in IMAP's words: the tagged response for a command that could not be done.

Standards: RFC 3501 7.1, RFC 5530 3 (response codes)
"""

from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.protocols.imap.cursor import BadSyntax, Refused, UidRequired
from whimbrel.protocols.imap.engine import Done, Status
from whimbrel.services.imapd.session import NoFolder


def refusal_of(error: MailError | BadSyntax) -> Done:
    """An error in IMAP's words."""
    if isinstance(error, Refused):
        return Done(Status.NO, error.text, error.code)
    if isinstance(error, UidRequired):
        return Done(Status.BAD, error.text, b"UIDREQUIRED")
    if isinstance(error, BadSyntax):
        return Done(Status.BAD, error.text)
    if isinstance(error, NoFolder) and error.try_create:
        return Done(Status.NO, error.text, b"TRYCREATE")
    if isinstance(error, MailboxError):
        return Done(Status.NO, error.text, error.condition.value.encode())
    return Done(Status.NO, error.text, Condition.UNAVAILABLE.value.encode() if error.temporary else b"")
