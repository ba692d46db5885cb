"""`change undo`: puts the old values of a change back, as a new change (mission S15)."""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.core.config import Text
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op
from whimbrel.core.rights import Right
from whimbrel.services.admin.calls import CallError, Failure, FieldFault, call
from whimbrel.services.admin.changes.audit import SEPARATOR
from whimbrel.services.admin.changes.change_lines import SETTING, ChangeLine
from whimbrel.services.admin.changes.change_list import Id, version
from whimbrel.services.admin.changes.change_state import Made, made_of, present, refusal
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.people import change
from whimbrel.services.admin.people.resolving import sample_of, warn_of
from whimbrel.services.admin.people.template_use import may_set
from whimbrel.services.admin.people.users import forward_warning, may_change
from whimbrel.services.admin.settings.configuration import change_settings

_NAMED = 5
"""Values that a sentence names."""


@dataclass(frozen=True, slots=True)
class Undone:
    text: str
    paths: tuple[str, ...]
    """Settings that have their old values again."""
    restart: tuple[str, ...]
    """Those of them that wait for a restart of the server."""


@call(
    "change",
    "undo",
    right=Right.ACCOUNTS,
    version=version,
    dangerous=True,
    help="Puts the values back that a change replaced, all or none, if what it made still stands. That is a change of "
    "its own, which can be undone.",
)
async def change_undo(ctx: AdminContext, id: Id) -> Undone:
    made = await made_of(ctx, id)
    if made.partial:
        raise CallError(Failure.FORBIDDEN, f"Change {id} is not undone: {made.partial}")
    await _refuse(ctx, id, made)
    settings: dict[str, object] = {line.subject: _old_setting(ctx, line) for line in made.lines if line.kind == SETTING}
    steps = await _steps(ctx, [line for line in made.lines if line.kind != SETTING])
    if settings and steps:  # Two files: what either would refuse comes before both.
        ctx.config.check(settings, confirmed=ctx.confirmed)
        await ctx.editor.check(steps)
    changed = await change_settings(ctx, settings) if settings else None
    if steps:
        await change(ctx, *steps)
        await _warn(ctx, steps)
    verb = "would be" if ctx.dry_run else "was"
    rest = f"; `whimbrel change undo {ctx.change}` takes that back" if ctx.recorded else ""
    text = f"{'Checked only: c' if ctx.dry_run else 'C'}hange {id} {verb} undone: {_words(made.lines)}{rest}"
    return Undone(text, changed.paths if changed else (), changed.restart if changed else ())


async def _refuse(ctx: AdminContext, id: str, made: Made) -> None:
    """CallError names every value that cannot be put back, and why."""
    faults = [FieldFault(_name(line), reason) for line in made.lines if (reason := await refusal(ctx, made, line))]
    if not faults:
        return
    reasons = "\n".join(f"{fault.name}: {fault.text}" for fault in faults[:_NAMED])
    more = f"\nand {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    raise CallError(Failure.REFUSED, f"Change {id} is not undone, nothing was changed:\n{reasons}{more}", *faults[:50])


def _name(line: ChangeLine) -> str:
    return f"{line.subject} {line.field}".strip()


def _words(lines: Sequence[ChangeLine]) -> str:
    named = [f"{_name(line)} is {line.old or 'not set'}" for line in lines[:_NAMED]]
    return ", ".join([*named, *([f"and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else [])])


def _as(now: Text | None, text: str) -> Text:
    """`text` of the log as a value like `now`."""
    if isinstance(now, tuple):
        return tuple(text.split(SEPARATOR)) if text else ()
    return text


def _old_setting(ctx: AdminContext, line: ChangeLine) -> Text | None:
    """None: what it was is the default."""
    known = ctx.config.describe(line.subject)
    old = _as(known.value, line.old)
    return None if old == known.default else old


async def _steps(ctx: AdminContext, lines: Sequence[ChangeLine]) -> list[DirectoryChange]:
    """One step for each record. CallError: the caller may not change it so."""
    values: dict[tuple[Kind, str, str], dict[str, object]] = {}
    for line in lines:
        old = _as(await present(ctx, line), line.old)
        values.setdefault((Kind(line.kind), line.domain, line.name), {})[line.field] = None if old == "" else old
    steps = [DirectoryChange(Op.SET, kind, domain, name, old) for (kind, domain, name), old in values.items()]
    for step in steps:
        await _permit(ctx, step)
    return steps


async def _permit(ctx: AdminContext, step: DirectoryChange) -> None:
    """As the calls that change users do: nobody gives more than they have. CallError."""
    ctx.within(step.domain)
    if step.kind is Kind.TEMPLATE:
        await may_set(ctx, step)
    user = await ctx.editor.entry(step.kind, step.domain, step.name) if step.kind is Kind.USER else None
    if user is None:
        return
    may_change(ctx, user)
    if {"rights", "grant"} & step.values.keys():
        # As they will be.
        may_change(ctx, Entry(user.kind, user.domain, user.name, {**user.values, **_texts(step)}))


def _texts(step: DirectoryChange) -> dict[str, Text]:
    return {name: value if isinstance(value, tuple) else str(value or "") for name, value in step.values.items()}


async def _warn(ctx: AdminContext, steps: Sequence[DirectoryChange]) -> None:
    """Of addresses that lead nowhere now."""
    for step in steps[:_NAMED]:
        if step.kind is Kind.USER and {"forward-to", "keep-copy"} & step.values.keys():
            warning = await forward_warning(ctx, f"{step.name}@{step.domain}")
            if warning:
                ctx.warn(warning.removeprefix(". "))
        elif {"to", "member", "catch-all"} & step.values.keys():
            await warn_of(ctx, sample_of(step.kind, step.name, step.domain))
