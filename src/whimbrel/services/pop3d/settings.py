"""Settings of POP3."""

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration


class Pop3Settings(Section, tag="pop3"):
    """Fetching mail over POP3."""

    autologout: Duration = setting(
        Duration("10m"),
        minimum=Duration("10m"),
        maximum=Duration("24h"),
        help="A signed-in client that is silent for so long is disconnected and deletes nothing; "
        "at least 10 minutes (RFC 1939, 3).",
    )
    sign_in_time: Duration = setting(
        Duration("1m"), minimum=Duration("10s"), maximum=Duration("30m"), help="Time a client has to sign in."
    )
    exclusive: bool = setting(
        True, help="One POP3 session at a time for each mailbox, as RFC 1939 wants it; another gets [IN-USE]."
    )
    login_delay: Duration = setting(
        Duration("0s"),
        minimum=0,
        maximum=Duration("1h"),
        help="Least time between two sign-ins of one user (RFC 2449, 6.5). 0: none.",
    )
    mark_seen: bool = setting(
        True, help="Mark messages that a client fetched and left here as read, for IMAP and webmail."
    )
