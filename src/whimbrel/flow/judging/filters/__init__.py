"""All filters, in the order in which they run within their stage: cheap ones first."""

from typing import Final

from whimbrel.flow.judging.filters.header_limits import HeaderLimits
from whimbrel.flow.judging.filters.raw_header import RawHeader
from whimbrel.flow.judging.filters.received_loop import ReceivedLoop
from whimbrel.flow.judging.filters.size import DeclaredSize, Size

FILTERS: Final = (DeclaredSize, Size, HeaderLimits, RawHeader, ReceivedLoop)
