"""Headers so long that they are an attack or broken: their fields are read again and again by every client.

Standards: RFC 5321 4.5.3.1 (a server may set limits), RFC 5322 2.2
"""

from whimbrel.core.config import ConfigStore
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Size
from whimbrel.flow.judging.filter import NOTHING, Finding, QuickFilter, Stage, refuse
from whimbrel.flow.transaction import HEAD, Transaction


class HeaderLimitsSettings(Section, tag="header-limits"):
    """How much header a message may have."""

    max_size: Size = setting(
        Size("64K"), minimum=Size("8K"), maximum=HEAD, help="Largest header section of a message.", advanced=True
    )
    max_fields: int = setting(1000, minimum=100, maximum=10_000, help="Most header fields.", advanced=True)


class HeaderLimits(QuickFilter):
    name, stage = "header-limits", Stage.DATA

    def __init__(self, config: ConfigStore) -> None:
        self._config = config

    def look(self, tx: Transaction) -> Finding:
        header, limits = tx.header, self._config.section(HeaderLimitsSettings)
        if len(header.raw) > limits.max_size or (not header.complete and tx.size > HEAD):
            return refuse(552, "5.3.4", f"The header is larger than {int(limits.max_size)} octets")
        if header.fields > limits.max_fields:
            return refuse(552, "5.3.4", f"The header has more than {limits.max_fields} fields")
        return NOTHING
