"""Blocking or heavy work off the loop, bounded."""

from collections.abc import Callable
from typing import ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Pool(Protocol):
    """Threads that a worker shares; a call waits its turn when all are taken."""

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """`work`'s result or exception. Cancelling the wait does not stop the work."""
        ...
