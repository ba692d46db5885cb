"""Settings of what the server does by itself at times."""

from whimbrel.core.settings import Section, setting


class JobSettings(Section, tag="jobs"):
    """What the server does by itself at times."""

    clean_out_at: str = setting(
        "03:30",
        pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d$",
        like="a time of day, such as 03:30, or nothing",
        examples=("03:30",),
        help="Time of day (local) at which the clean-out rules of domains and users are applied; empty: never.",
    )
    count_at: str = setting(
        "04:30",
        pattern=r"^$|^([01]\d|2[0-3]):[0-5]\d$",
        like="a time of day, such as 04:30, or nothing",
        examples=("04:30",),
        help="Time of day (local) at which is counted what all mailboxes hold; empty: never, but by hand.",
        row="S09",
    )
