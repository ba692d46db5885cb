"""One call for each of many: `{"call": "user disable", "each": [{"name": "a@example.org"}, ...]}`.

All of it is checked before any of it is done: rights, values, whether the records are there. What is refused all the
same is told one by one, and the rest goes on.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from whimbrel.services.admin.calls import Call, CallError, Failure, FieldFault, nearest
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.invoke import Prepared, checked, prepare, run
from whimbrel.services.admin.pointers import below, joined
from whimbrel.services.admin.server.operations import Work

MOST: Final = 2_000
_SHOWN: Final = 20


@dataclass(frozen=True, slots=True)
class Each:
    """How it went for one. `text`: what was done, or why not."""

    number: int
    """Its place in the list, from 0."""
    done: bool
    text: str
    percent: int


async def bulk_work(calls: Mapping[str, Call], ctx: AdminContext, body: Mapping[str, Any], *, confirmed: str) -> Work:
    """CallError: nothing is done, the faults are told by `each/<number>`."""
    call = _call(calls, body.get("call"))
    each = body.get("each")
    if (
        not isinstance(each, list)
        or not each
        or not all(isinstance(arguments, dict) for arguments in each)
        or len(each) > MOST
    ):
        raise CallError(
            Failure.USAGE,
            f"each: a list of 1 to {MOST} objects of parameters is meant",
            FieldFault("each", "", joined("each")),
        )
    ctx = ctx.request(ctx.caller, confirmed=confirmed)
    made, faults, first, refused = list[Prepared](), list[FieldFault](), None, 0
    for number, arguments in enumerate(each):
        try:
            made.append(prepare(call, ctx, arguments))
            await checked(made[-1])
        except CallError as error:
            first = first or error
            refused += 1
            faults += below(error, call, arguments, "each", number)
    if first is not None:
        kind = first.kind if refused == len(each) else Failure.REFUSED
        text = f"{refused} of {len(each)} cannot be done: {first.text}"
        raise CallError(kind, text, *faults[:_SHOWN], confirm=first.confirm)
    return Work(call, ctx.caller, f"{call.name}, {len(each)} times", _carried_out(made), kind=Each, steps=len(made))


def _call(calls: Mapping[str, Call], name: object) -> Call:
    call = calls.get(name) if isinstance(name, str) else None
    if call is None:
        raise CallError(Failure.NOT_FOUND, f"There is no call '{str(name)[:100]}'{nearest(str(name)[:100], calls)}")
    if call.reads or call.streams or call.shows_secret:
        raise CallError(Failure.USAGE, f"'{call.name}' is not made for many at once")
    return call


async def _carried_out(made: Sequence[Prepared]) -> AsyncIterator[Each]:
    for number, prepared in enumerate(made):
        percent = (number + 1) * 100 // len(made)
        try:
            result = await run(prepared)
        except CallError as error:
            yield Each(number, False, error.text, percent)
        else:
            yield Each(number, True, str(getattr(result, "text", "")), percent)
