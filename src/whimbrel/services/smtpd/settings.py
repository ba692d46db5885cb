"""Settings of a session with an SMTP, submission or LMTP client.

Name, sizes and recipients are in `flow/settings.py`.
"""

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration


class SmtpServerSettings(Section, tag="smtp-server"):
    """Sessions with those who send us mail."""

    greeting: str = setting(
        "Whimbrel",
        pattern=r"^[\x20-\x7e]{0,200}$",
        like="a line of at most 200 ASCII characters",
        help="What the greeting says after our name and ESMTP.",
    )
    max_failed_commands: int = setting(
        20,
        minimum=1,
        maximum=10_000,
        help="Wrong commands in a session before it is closed with 421. Commands that bring no mail, and recipients "
        "that are unknown, from servers, count too from the 101st on between two messages.",
        row="S62",
    )
    command_timeout: Duration = setting(
        Duration("5m"), minimum=1, maximum=3600, help="Wait for a client's next command (RFC 5321 4.5.3.2.7)."
    )
    data_timeout: Duration = setting(
        Duration("5m"), minimum=1, maximum=3600, help="Wait for the next piece of a message (RFC 5321 4.5.3.2.5)."
    )
    max_transactions: int = setting(
        0,
        minimum=0,
        maximum=1_000_000,
        help="Messages in one session, after which a client must connect again (MAILMAX, RFC 9422). 0: no limit.",
        advanced=True,
    )
    max_session_time: Duration = setting(
        Duration("6h"),
        minimum=60,
        maximum=604800,
        help="How long a session may last; a client that drips one octet a minute is closed then.",
        advanced=True,
    )
