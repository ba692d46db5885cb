"""What a process tells the others of its server, when they ask."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

Answer = Callable[[Mapping[str, Any]], Awaitable[object]]
"""What is asked of a subject -> what JSON can say, or JSON already (bytes). ValueError, TypeError, LookupError: nobody
asks so."""


class Answers(Protocol):
    def tell(self, subject: str, answer: Answer) -> None:
        """From now on questions about `subject` are answered so."""
        ...
