"""Settings of routing."""

from whimbrel.core.settings import Section, setting


class RoutingSettings(Section, tag="routing"):
    """What addresses of ours stand for."""

    plus_addressing: bool = setting(True, help="Mail for name+anything goes to name, where nobody has that address.")
    postmaster: str = setting(
        "",
        pattern=r"^$|^[^\s@]+@[^\s@]+$",
        like="an address, such as postmaster@example.org, or nothing",
        help="Gets mail for postmaster of a domain in which nobody has that address; unset: the administrators.",
    )
