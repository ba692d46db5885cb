"""Calls about long work under way: imports, checks, rebuilds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any

from whimbrel.services.admin.calls import Known, Needs, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Done, Moment, Page, Words, done

Id = Annotated[str, "Id of the operation, as listed.", Known("operation")]


@dataclass(frozen=True, slots=True)
class OperationRow:
    """`state`: running, done, tried (a dry run: nothing was changed), failed, cancelled, or interrupted by the end of
    the server."""

    id: str
    work: Words
    user: str
    state: str
    percent: int
    started: Moment
    ended: Moment
    error: Words


@dataclass(frozen=True, slots=True)
class OperationItem:
    """One item of its work, as the call itself answers it."""

    item: Any
    percent: int
    text: str


@call(
    "operation", "list", reads=True, needs=Needs.SERVER, names=("operation", "id"),
    help="Lists long work that is under way or has ended, the latest first.",
)  # fmt: skip
async def operation_list(ctx: AdminContext) -> Page[OperationRow]:
    return Page(
        tuple(
            OperationRow(o.id, o.subject, o.user, o.state, o.percent, Moment(o.started), Moment(o.ended), o.error)
            for o in need(ctx.operations, "Operations").list()
        )
    )


@call("operation", "watch", reads=True, needs=Needs.SERVER, help="Shows what an operation does, to its end.")
async def operation_watch(ctx: AdminContext, id: Id) -> AsyncIterator[OperationItem]:
    from whimbrel.services.admin.invoke import result_adapter  # Here: the command line's client needs it not.

    operation = need(ctx.operations, "Operations").named(id)
    async for item in operation.items():
        plain = result_adapter(operation.of).dump_python(item, mode="json") if operation.of is not None else None
        yield OperationItem(plain, operation.percent, _words(item))


@call("operation", "cancel", needs=Needs.SERVER, help="Ends an operation where it is; what it has done stays done.")
async def operation_cancel(ctx: AdminContext, id: Id) -> Done:
    operations = need(ctx.operations, "Operations")
    operation = operations.named(id)
    if not ctx.dry_run:
        operation = await operations.cancel(id)
    return done(ctx.dry_run, f"The operation {id} ({operation.subject})", "cancelled")


def _words(item: object) -> str:
    """An item of any call in one line."""
    text = getattr(item, "text", None)
    if isinstance(text, str):
        return text
    names = getattr(type(item), "__dataclass_fields__", {})
    values = [getattr(item, name) for name in names if name != "percent"]
    shown = [", ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values]
    return "  ".join(filter(None, shown)) or str(item)
