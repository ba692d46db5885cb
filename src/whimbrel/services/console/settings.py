"""Settings of the console's sessions. Where it listens is its network service (`services/console`)."""

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration


class ConsoleSettings(Section, tag="console"):
    """Signing in to the console."""

    session_idle: Duration = setting(
        Duration("30m"),
        minimum=60,
        maximum=86400,
        help="Time without a request after which a session ends.",
        row="S13",
    )
    session_lifetime: Duration = setting(
        Duration("12h"),
        minimum=300,
        maximum=30 * 86400,
        help="Time after signing in when a session ends, however busy it is.",
        row="S13",
    )
    sessions_per_user: int = setting(
        20,
        minimum=1,
        maximum=1000,
        help="Sessions of one user at a time; a further sign-in ends the one that was used least recently.",
        advanced=True,
    )
