"""What all of `flow` must know of this server: its name, and how much it takes at once."""

from whimbrel.core.address import Domain
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Size


class SmtpSettings(Section, tag="smtp"):
    """Receiving and sending mail over SMTP."""

    hostname: Domain = setting(
        Domain("localhost"),
        applies="restart",
        help="Our name in greeting, EHLO, Received and Message-ID.",
        check="own-name",
    )
    max_message_size: Size = setting(
        Size("50M"), minimum=Size("64K"), help="Largest message accepted (SIZE, RFC 1870).", row="S63"
    )
    max_recipients: int = setting(
        1000, minimum=100, maximum=100_000, help="Recipients in one transaction (RFC 5321 4.5.3.1.8).", row="S60"
    )
    log_subject: bool = setting(
        False, help="Write the subject of each message into the mail log; `whimbrel trace --subject` finds it then."
    )
