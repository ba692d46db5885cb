"""What the sending side waits for, and the answers that it gives itself.

Standards: RFC 6531 3.5 (X.6.7), RFC 8689 5 (X.7.30), RFC 4954 6 (X.5.4).
"""

from enum import Enum

from whimbrel.protocols.smtp.reply import Reply

NO_UTF8 = Reply(553, "5.6.7", ("The server does not take internationalised addresses (SMTPUTF8)",))
NO_MECHANISM = Reply(504, "5.5.4", ("The server offers no way to sign in that we know",))
NO_REQUIRETLS = Reply(550, "5.7.30", ("REQUIRETLS support required",))
UNEXPECTED = Reply(451, "4.5.0", ("The server answered what the protocol does not allow here",))


class Step(Enum):
    """What the next reply answers."""

    __hash__ = object.__hash__  # Enum's own is a function in Python; each reply is looked up by its step.

    CONNECT = "connect"
    EHLO = "EHLO"
    HELO = "HELO"
    STARTTLS = "STARTTLS"
    AUTH = "AUTH"
    MAIL = "MAIL"
    RCPT = "RCPT"
    DATA = "DATA"
    WHOLE = "BDAT"
    CHUNK = "chunk"
    CONTENT = "content"
    DOT = "dot"
    CLEAR = "clear"
    RSET = "RSET"
    QUIT = "QUIT"
