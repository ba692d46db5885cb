"""The routing rules, in the order in which an address is shown to them. The last refuses."""

from collections.abc import Awaitable, Callable
from typing import Final

from whimbrel.flow.routing import rules
from whimbrel.flow.routing.route import Step

Rule = Callable[[rules.Lookup], Awaitable[Step | None]]

RULES: Final[tuple[Rule, ...]] = (
    rules.address_literal,
    rules.remote_domain,
    rules.account,
    rules.entry,
    rules.hidden_route,
    rules.plus_address,
    rules.postmaster,
    rules.catch_all,
    rules.unknown,
)
