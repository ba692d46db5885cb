"""All filters: one line each. Within a stage those that wait for nothing run in this order, cheap ones first."""

from typing import Final

from whimbrel.flow.judging.filter import Filter
from whimbrel.flow.judging.filters.arc import Arc
from whimbrel.flow.judging.filters.authentication_results import AuthenticationResults, ForeignResults
from whimbrel.flow.judging.filters.dkim import Dkim
from whimbrel.flow.judging.filters.dmarc import Dmarc
from whimbrel.flow.judging.filters.header_limits import HeaderLimits
from whimbrel.flow.judging.filters.raw_header import RawHeader
from whimbrel.flow.judging.filters.received_loop import ReceivedLoop
from whimbrel.flow.judging.filters.size import DeclaredSize, Size
from whimbrel.flow.judging.filters.spf import RelayedSpf, Spf

FILTERS: Final[tuple[type[Filter], ...]] = (
    DeclaredSize,
    Size,
    HeaderLimits,
    RawHeader,
    ReceivedLoop,
    ForeignResults,
    Spf,
    RelayedSpf,
    Dkim,
    Arc,
    Dmarc,
    AuthenticationResults,
)
