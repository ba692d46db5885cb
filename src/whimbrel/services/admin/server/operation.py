"""Calls about long work under way: imports, checks, rebuilds."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import Known, Needs, call, not_found
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Done, Moment, Page, Words, done

if TYPE_CHECKING:
    from whimbrel.services.admin.server.operations import Operation

Id = Annotated[str, "Id of the operation, as listed.", Known("operation")]


@dataclass(frozen=True, slots=True)
class OperationRow:
    """`state`: waiting (it begins at `begins`), running, done, tried (a dry run: nothing was changed), failed,
    cancelled, undone (cancelled before it began), or interrupted by the end of the server."""

    id: str
    work: Words
    user: str
    state: str
    percent: int
    started: Moment
    ended: Moment
    error: Words
    begins: Moment


@dataclass(frozen=True, slots=True)
class OperationItem:
    """One item of its work, as the call itself answers it."""

    item: Any
    percent: int
    text: str


@call(
    "operation", "list", reads=True, right=Right.SELF, needs=Needs.SERVER, names=("operation", "id"),
    help="Lists long work that is under way or has ended, the latest first; of all, or one's own.",
)  # fmt: skip
async def operation_list(ctx: AdminContext) -> Page[OperationRow]:
    return Page(
        tuple(operation_row(each) for each in need(ctx.operations, "Operations").list() if _may(ctx, each, reads=True))
    )


def operation_row(operation: "Operation") -> OperationRow:
    return OperationRow(
        operation.id,
        operation.subject,
        operation.user,
        operation.state,
        operation.percent,
        Moment(operation.started),
        Moment(operation.ended),
        operation.error,
        Moment(operation.begins),
    )


@call(
    "operation",
    "watch",
    reads=True,
    right=Right.SELF,
    needs=Needs.SERVER,
    help="Shows what an operation does, to its end.",
)
async def operation_watch(ctx: AdminContext, id: Id) -> AsyncIterator[OperationItem]:
    from whimbrel.services.admin.invoke import item_adapter  # Here: the command line's client needs it not.

    operation = _named(ctx, id, reads=True)
    async for item in operation.items():
        plain = item_adapter(operation.of, operation.kind).dump_python(item, mode="json") if operation.of else None
        yield OperationItem(plain, operation.percent, _words(item))


@call(
    "operation",
    "cancel",
    right=Right.SELF,
    needs=Needs.SERVER,
    help="Ends an operation where it is; what it has done stays done.",
)
async def operation_cancel(ctx: AdminContext, id: Id) -> Done:
    operations = need(ctx.operations, "Operations")
    operation = _named(ctx, id, reads=False)
    if not ctx.dry_run:
        operation = await operations.cancel(id)
    undone = operation.state in ("waiting", "undone")
    return done(ctx.dry_run, f"The operation {id} ({operation.subject})", "undone" if undone else "cancelled")


def _named(ctx: AdminContext, id: str, *, reads: bool) -> "Operation":
    """CallError: there is none, or not for this caller: it is as if there were none."""
    operations = need(ctx.operations, "Operations")
    operation = operations.known(id)
    if operation is None or not _may(ctx, operation, reads=reads):
        not_found("operation", id, "; see `whimbrel operation list`")
    return operation


def _may(ctx: AdminContext, operation: "Operation", *, reads: bool) -> bool:
    """One's own - not those of somebody who had the name before - or anybody's for who administers the server."""
    right = Right.SERVER_READ if reads else Right.SERVER_WRITE
    return operation.owner == ctx.caller.owner or ctx.caller.grants.domains(right, reads=reads) is None


def _words(item: object) -> str:
    """An item of any call in one line."""
    text = getattr(item, "text", None)
    if isinstance(text, str):
        return text
    names = getattr(type(item), "__dataclass_fields__", {})
    values = [getattr(item, name) for name in names if name != "percent"]
    shown = [", ".join(map(str, value)) if isinstance(value, tuple) else str(value) for value in values]
    return "  ".join(filter(None, shown)) or str(item)
