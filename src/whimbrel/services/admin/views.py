"""Values that calls answer with and that several of them share.

In JSON every result is an object. A list is `{"items": [...], "more": ""}`; a moment is a text of RFC 3339 in UTC, null
for never; a size is a number of octets.
"""

import time
from dataclasses import dataclass
from typing import Annotated, Any, Generic, NewType, TypeVar

T = TypeVar("T")

Octets = NewType("Octets", int)
"""A number of bytes; people are shown KiB, MiB, GiB."""

Words = Annotated[str, "words"]
"""Text to read, which a table may wrap where room is scarce; other text (addresses, ids, names) is shown whole."""


class Moment(float):
    """Seconds since 1970 UTC; people are shown local time. 0: never."""

    __slots__ = ()

    @property
    def written(self) -> str | None:
        """`2026-11-24T16:57:14Z`. RFC 3339 5.6"""
        return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self)) if self else None

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: Any) -> Any:
        from pydantic_core import core_schema  # Here: the command line's client needs it not.

        return core_schema.no_info_plain_validator_function(
            cls,
            serialization=core_schema.plain_serializer_function_ser_schema(
                lambda moment: Moment(moment).written,
                return_schema=core_schema.nullable_schema(core_schema.str_schema()),
            ),
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: Any, _handler: Any) -> dict[str, Any]:
        return {"type": ["string", "null"], "format": "date-time"}


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """A list; `more` is what to give as `after` for what comes next, empty at the end."""

    items: tuple[T, ...]
    more: str = ""


@dataclass(frozen=True, slots=True)
class TextView:
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """What was done, in one sentence."""

    text: str


def done(dry_run: bool, subject: str, participle: str, rest: str = "") -> Done:
    """`User x was removed<rest>`; what only was checked is not said to have been done: `would be removed`."""
    if dry_run:
        return Done(f"Checked only: {subject} would be {participle}{rest}")
    return Done(f"{subject} was {participle}{rest}")
