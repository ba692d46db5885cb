"""Settings of the server itself: its user and its processes."""

from whimbrel.core.settings import Section, setting


class ServerSettings(Section, tag="server"):
    """The server's own processes."""

    run_as: str = setting(
        "",
        help="User for all but the supervisor, which alone may be root. Empty: the user who starts the server; refused "
        "for root.",
        applies="restart",
        row="S20",
    )
    mail_workers: int = setting(
        0, minimum=0, maximum=64, help="Processes that serve mail sessions; 0: one for each core.", applies="restart"
    )
