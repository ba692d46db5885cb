"""What is logged, how much of it is kept, and where else it goes."""

from calendar import timegm
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from whimbrel.core.settings import Concern, Section, Whole, setting
from whimbrel.core.values import HostPort, Size

Category = Literal[
    "all", "admin", "config", "delivery", "dns", "filter", "imap", "lmtp", "message", "pop3", "queue", "routing",
    "server", "session", "signin", "smtp", "store", "tls", "web"]  # fmt: skip
LogName = Literal["mail", "security", "warning", "error", "debug", "config", "operations", "spam"]
Period = Literal["never", "hour", "day", "week", "month"]
Facility = Literal[
    "kern", "user", "mail", "daemon", "auth", "syslog", "authpriv", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7"]  # fmt: skip
LEAST = Size("64K")


class LogFileSettings(Section, tag="log-file"):
    """What one log does otherwise than all."""

    rotate: Literal["default", "never", "hour", "day", "week", "month"] = setting(
        "default", help="When a new file is begun; default: as set for all logs.", row="S32"
    )
    max_size: Size = setting(Size(0), minimum=0, help="A larger file is put aside; 0: as set for all logs.", row="S32")
    keep: int = setting(
        -1, minimum=-1, maximum=1000, help="Files put aside that are kept; -1: as set for all logs.", row="S33"
    )
    facility: Literal[
        "default", "kern", "user", "mail", "daemon", "auth", "syslog", "authpriv", "local0", "local1", "local2",
        "local3", "local4", "local5", "local6", "local7"] = setting(
        "default", help="Its facility in syslog; default: as set for all logs.", row="S30"
    )  # fmt: skip


class LogFilesSettings(Section, tag="log-files"):
    """Logs one by one, where they differ."""

    mail: LogFileSettings = setting(LogFileSettings(), help="Each message's way.")
    security: LogFileSettings = setting(LogFileSettings(), help="Sign-ins and refusals.")
    warning: LogFileSettings = setting(LogFileSettings(), help="What somebody should look at.")
    error: LogFileSettings = setting(LogFileSettings(), help="What failed.")
    debug: LogFileSettings = setting(LogFileSettings(), help="Details of the categories that are switched on.")
    config: LogFileSettings = setting(LogFileSettings(), help="Changes of the configuration.")
    operations: LogFileSettings = setting(LogFileSettings(), help="Starts, stops, work on the store.")
    spam: LogFileSettings = setting(LogFileSettings(), help="What the spam filters found.")


class SyslogSettings(Section, tag="syslog"):
    """Copies of log lines for syslog. RFC 5424"""

    logs: tuple[LogName, ...] = setting((), help="Logs that syslog gets too; none: it is off.", row="S30")
    transport: Literal["unix", "udp", "tcp"] = setting("unix", help="How syslog is reached; tcp counts octets.")
    socket: str = setting(
        "/dev/log", help="Unix socket of syslog on this machine.", advanced=True, shown_if="transport = unix"
    )
    server: HostPort = setting(
        HostPort("127.0.0.1:514"), help="Address and port for udp and tcp.", shown_if="transport = udp, tcp"
    )
    form: Literal["rfc5424", "rfc3164"] = setting(
        "rfc5424", help="Form of a record; rfc3164 for daemons that know only the old one.", advanced=True
    )
    facility: Facility = setting("mail", help="Facility, unless a log has its own.")
    hostname: str = setting(
        "",
        pattern=r"^[!-~]{0,255}$",
        like="a host name of ASCII characters without blanks, or nothing",
        help="Our name in records; empty: the system's.",
    )


_AUDITS: Final = ("config", "security")
"""Logs that say who did what."""


def _kept(whole: Whole) -> Iterator[Concern]:
    settings = whole.section(LogSettings)
    gone = [log for log in _AUDITS if not settings.of(log).keep]
    if gone:
        path = "logs/keep" if not settings.keep else f"logs/files/{gone[0]}/keep"
        yield Concern(
            path,
            f"with each new file all that stood in the log before is deleted: who changed or opened what is gone "
            f"({', '.join(gone)})",
        )


class LogSettings(Section, tag="logs", checks=(_kept,)):
    """The log files."""

    debug: tuple[Category, ...] = setting(
        (), help="What the debug log tells about; all for everything. Costs speed and disk.", row="S29"
    )
    debug_until: str = setting(
        "",
        pattern=r"^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)?$",
        like="a time in UTC, such as 2026-11-24T18:00:00Z, or nothing",
        help="When the debug log falls silent by itself, such as 2026-11-24T18:00:00Z; empty: never.",
        row="S29",
    )
    rotate: Period = setting("week", help="A new file is begun each hour, day, week or month, local time.", row="S32")
    max_size: Size = setting(
        Size("100M"), minimum=LEAST, help="A larger log file is put aside and a new one begun.", row="S32"
    )
    keep: int = setting(9, minimum=0, maximum=1000, help="Files put aside that are kept, of each log.", row="S33")
    files: LogFilesSettings = setting(LogFilesSettings(), help="Logs that differ from the rest.")
    syslog: SyslogSettings = setting(SyslogSettings(), help="Copies for syslog.")

    def of(self, log: str) -> "Rules":
        """What holds for one log, all told."""
        own: LogFileSettings = getattr(self.files, log)
        return Rules(
            self.rotate if own.rotate == "default" else own.rotate,
            max(int(own.max_size) or int(self.max_size), int(LEAST)),
            self.keep if own.keep < 0 else own.keep,
            self.syslog.facility if own.facility == "default" else own.facility,
        )

    def debug_end(self) -> float:
        """When debug records end, in seconds since 1970; infinite without an end."""
        if not self.debug_until:
            return float("inf")
        try:
            return float(timegm(datetime.strptime(self.debug_until, "%Y-%m-%dT%H:%M:%SZ").timetuple()))
        except ValueError:  # The thirtieth of February: it has passed.
            return 0.0


@dataclass(frozen=True, slots=True)
class Rules:
    """How one log is rotated, and its facility."""

    rotate: str
    max_size: int
    keep: int
    facility: str
