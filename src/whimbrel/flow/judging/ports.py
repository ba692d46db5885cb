"""What a filter may use of the world."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory
from whimbrel.core.log import Log
from whimbrel.core.net import Resolver
from whimbrel.core.pool import Pool
from whimbrel.core.spool import Spooled
from whimbrel.core.state import Counters, State
from whimbrel.flow.assessment import Fact

Scanner = Callable[[Spooled], Awaitable[Sequence[Fact]]]
"""What engines outside of this process say of a content. MailError: they give no answer now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilterPorts:
    """All filters of a process are made with the same."""

    config: ConfigStore
    resolver: Resolver
    counters: Counters
    state: State
    directory: Directory
    pool: Pool
    clock: Clock
    log: Log
    scanner: Scanner | None = None
    """None: no engine is set up."""
