"""Settings of the two configuration files themselves."""

from whimbrel.backends.config.files import Retention
from whimbrel.core.settings import Section, setting


class HistorySettings(Section, tag="history"):
    """Former versions of the configuration files."""

    versions: int = setting(
        10,
        minimum=1,
        maximum=1000,
        help="So many former versions of each file are kept, whatever their age.",
        row="S19",
    )
    days: int = setting(
        90,
        minimum=0,
        maximum=3650,
        help="For so many days the version that each day began with is kept as well, and that of each hour of the last "
        "day.",
        row="S19",
    )

    @property
    def retention(self) -> Retention:
        return Retention(self.versions, self.days)
