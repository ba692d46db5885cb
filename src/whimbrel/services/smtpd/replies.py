"""The replies of a session that are the same each time, and MailError as a reply.

Standards: RFC 5321 4.2.3 (codes), 4.5.3.1.5 (length), RFC 3463, RFC 4954 6, RFC 3207 4, RFC 3030 2, RFC 9422 5.1,
draft-hall-prdr-00.
"""

from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.protocols.smtp.reply import Reply

SENDER_OK: Final = Reply(250, "2.1.0", ("Sender ok",))
RECIPIENT_OK: Final = Reply(250, "2.1.5", ("Recipient ok",))
GO_AHEAD: Final = Reply(354, "", ("End data with <CR><LF>.<CR><LF>",))
DONE: Final = Reply(250, "2.0.0", ("Ok",))
BYE: Final = Reply(221, "2.0.0", ("Bye",))
TURNED_AWAY: Final = Reply(503, "5.5.1", ("No mail is taken from you: send QUIT",))
CANNOT_VERIFY: Final = Reply(252, "2.5.2", ("Cannot verify, but will take a message and try to deliver it",))
NO_EXPANSION: Final = Reply(502, "5.5.1", ("Lists are not shown here",))
CHUNK_OK: Final = Reply(250, "2.0.0", ("Go on",))
EACH: Final = Reply(353, "", ("An answer for each recipient, and one for the message",))

TOO_BIG: Final = Reply(552, "5.3.4", ("The message is too big",))
BARE: Final = Reply(550, "5.5.2", ("Bare CR or LF in the message: lines end in CRLF",))

GO_TLS: Final = Reply(220, "2.0.0", ("Go ahead",))
NO_STARTTLS: Final = Reply(502, "5.5.1", ("STARTTLS is not offered",))
NO_TLS: Final = Reply(454, "4.7.0", ("TLS is not available now",))

SIGN_IN_FIRST: Final = Reply(530, "5.7.0", ("Authentication required",))
SIGNED_IN: Final = Reply(235, "2.7.0", ("Authentication successful",))
CANCELLED: Final = Reply(501, "5.7.0", ("Authentication cancelled",))
BAD_RESPONSE: Final = Reply(501, "5.5.2", ("The response is not of the mechanism",))
NO_MECHANISM: Final = Reply(504, "5.5.4", ("The mechanism is not supported",))
NEEDS_TLS: Final = Reply(538, "5.7.11", ("Encryption required for this mechanism",))

TOO_MANY_ERRORS: Final = Reply(421, "4.7.0", ("Too many errors",))
SIGNED_OUT: Final = Reply(421, "4.7.0", ("Your sign-in is not valid any more: connect and sign in again",))
TOO_MANY_SIGN_INS: Final = Reply(421, "4.7.0", ("Too many failed sign-ins",))
TOO_MANY_MESSAGES: Final = Reply(421, "4.5.3", ("Too many messages in one session: connect again",))
SILENT: Final = Reply(421, "4.4.2", ("Silent for too long",))
TOO_LONG_A_SESSION: Final = Reply(421, "4.4.2", ("The session has lasted too long",))
SHUTTING_DOWN: Final = Reply(421, "4.3.2", ("The server is shutting down",))
DISMISSED: Final = Reply(421, "4.3.2", ("Ended by an administrator",))
CRASHED: Final = Reply(451, "4.3.0", ("Internal error, try again later",))
CRASHED_IDLE: Final = Reply(421, "4.3.0", ("Internal error, try again later",))

MAX_TEXT: Final = 400


def refusal(error: MailError) -> Reply:
    """`error` as a reply, whatever its text is made of."""
    text = error.text
    if not (len(text) <= MAX_TEXT and text.isascii() and text.isprintable()):
        text = "".join(char if " " <= char <= "~" else "?" for char in text[:MAX_TEXT])
    code = error.code if 400 <= error.code < 600 else 451
    return Reply(code, error.enhanced, (text,))
