"""What is logged, and how much of it is kept."""

from typing import Literal

from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Size

Category = Literal[
    "all", "admin", "config", "delivery", "dns", "filter", "imap", "lmtp", "message", "pop3", "queue", "routing",
    "server", "session", "signin", "smtp", "store", "tls"]  # fmt: skip


class LogSettings(Section, tag="logs"):
    """The log files."""

    debug: tuple[Category, ...] = setting(
        (), help="What the debug log tells about; all for everything. Costs speed and disk.", row="S29"
    )
    max_size: Size = setting(
        Size("100M"), minimum=Size("64K"), help="A larger log file is put aside and a new one begun.", row="S32"
    )
    keep: int = setting(9, minimum=0, maximum=1000, help="Files put aside that are kept, of each log.", row="S33")
