"""Calls that move the store to another directory or disk, and delete what that left behind (mission S24)."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated

from whimbrel.core.store_move import Left, MoveRefused, Prospect, Step
from whimbrel.services.admin.calls import CallError, Failure, call
from whimbrel.services.admin.context import AdminContext, need
from whimbrel.services.admin.views import Moment, Octets

Target = Annotated[str, "Directory to move to, such as /srv/mail/store: an empty one, or one that is made."]


@dataclass(frozen=True, slots=True)
class MoveLine:
    """How far it is."""

    files: int
    size: Octets
    copied: Octets
    """Of these, what had to be copied now."""
    percent: int
    text: str = ""


@dataclass(frozen=True, slots=True)
class LeftView:
    """What a move has left behind. `kind`: store (the one before) or copy (unfinished)."""

    path: str
    kind: str
    since: Moment


@dataclass(frozen=True, slots=True)
class PlaceView:
    """Where the store is, and the latest move of it."""

    folder: str
    state: str
    """copying, ready (the server restarts for the last part), failed, done; empty: it never moved."""
    source: str
    target: str
    by: str
    began: Moment | None
    ended: Moment | None
    stopped: float
    """Seconds that no mail was served for it."""
    error: str
    left: tuple[LeftView, ...]


@dataclass(frozen=True, slots=True)
class ProspectView:
    """What a move would take."""

    target: str
    by_rename: bool
    """The directory just gets another name; nothing is copied, and no old store is left."""
    resumes: bool
    """It goes on from an unfinished copy."""
    files: int
    size: Octets
    free: Octets
    reserve: Octets
    copying: int
    """Seconds beside the running server, an estimate."""
    stopped: int
    """Seconds without mail service, an estimate."""


@call("store", "place", reads=True, help="Shows where the store is, the latest move of it, and what moves left behind.")
async def store_place(ctx: AdminContext) -> PlaceView:
    plan = await need(ctx.mover, "The place of the store").plan()
    move, left = plan.move, tuple(LeftView(each.path, each.kind, Moment(each.since)) for each in plan.left)
    folder = str(ctx.config.get("store/directory"))
    if move is None:
        return PlaceView(folder, "", "", "", "", None, None, 0.0, "", left)
    return PlaceView(
        folder, move.state, move.source, move.target, move.by, Moment(move.began),
        Moment(move.ended) if move.ended else None, move.stopped, move.error, left,
    )  # fmt: skip


@call(
    "store", "move-check", reads=True,
    help="Shows whether the store can move to a directory, and what that would take; changes nothing.",
)  # fmt: skip
async def store_move_check(ctx: AdminContext, to: Target) -> ProspectView:
    prospect = await _prospect(ctx, to)
    return ProspectView(
        prospect.target, prospect.by_rename, prospect.resumes, prospect.files, Octets(prospect.octets),
        Octets(prospect.free), Octets(prospect.reserve), round(prospect.copying), round(prospect.stopped),
    )  # fmt: skip


async def _ask_move(ctx: AdminContext, to: str) -> str:
    prospect = await _prospect(ctx, to)
    stop = "" if not ctx.live else f" At the end the mail service stops for about {_span(prospect.stopped)}."
    if prospect.by_rename:
        return f"Move the store from {prospect.source} to {prospect.target} by giving the directory that name?{stop}"
    return (
        f"Move the store with {prospect.files} files ({prospect.octets} octets) from {prospect.source} to "
        f"{prospect.target}? Copying takes about {_span(prospect.copying)}.{stop} The old one stays until you delete "
        "it."
    )


@call(
    "store", "move", operation=True, reauthenticate=True, confirm=_ask_move,
    help="Moves the store with all mail to another directory or disk: copies it while mail goes on, then stops the "
    "mail service shortly for what changed. The old one stays.",
)  # fmt: skip
async def store_move(ctx: AdminContext, to: Target) -> AsyncIterator[MoveLine]:
    mover = need(ctx.mover, "Moving the store")
    prospect = await _prospect(ctx, to)
    if ctx.dry_run:
        yield _line(Step(prospect.files, prospect.octets, 0, 100), _prospects(prospect))
        return
    if not ctx.live:
        yield _line(Step(0, 0, 0, 0), _prospects(prospect))
    ctx.log.info("store.moving", folder=prospect.target, before=prospect.source, user=ctx.caller.name)
    try:
        async with contextlib.aclosing(mover.move(prospect, ctx.caller.name)) as steps:
            async for step in steps:
                if step.percent < 100:
                    yield _line(step)
    except MoveRefused as error:
        raise CallError(Failure.REFUSED, f"{error}. The store is where it was: {prospect.source}") from None
    text = f"The store is at {prospect.target} now."
    if ctx.live:
        text = "The server stops now for the last part, and starts by itself; `whimbrel store place` shows how it went."
    elif not prospect.by_rename:
        text += f" The one before is kept: `whimbrel store old-delete {prospect.source}` deletes it."
    yield _line(Step(prospect.files, prospect.octets, 0, 100), text)
    await mover.restart()


async def _ask_delete(ctx: AdminContext, path: str) -> str:
    left = await _left(ctx, path)
    if left.kind == "copy":
        return f"Delete the unfinished copy of the store at {left.path}? A later move begins anew then."
    return (
        f"Delete the store that was moved away from at {left.path} for good? Nothing goes back to it after; the one in "
        "force is not touched."
    )


@call(
    "store", "old-delete", operation=True, reauthenticate=True, confirm=_ask_delete,
    help="Deletes what a move left behind for good: the store it moved away from, or an unfinished copy.",
)  # fmt: skip
async def store_old_delete(
    ctx: AdminContext, path: Annotated[str, "Directory, as `store place` shows it."]
) -> AsyncIterator[MoveLine]:
    left = await _left(ctx, path)
    if ctx.dry_run:
        return
    try:
        async for step in need(ctx.mover, "Deleting an old store").delete(left):
            yield _line(step)
    except MoveRefused as error:
        raise CallError(Failure.REFUSED, str(error)) from None
    ctx.log.info("store.old-deleted", folder=left.path, user=ctx.caller.name)


async def _prospect(ctx: AdminContext, to: str) -> Prospect:
    try:
        return await need(ctx.mover, "Moving the store").prospect(to)
    except MoveRefused as error:
        raise CallError(Failure.REFUSED, str(error)) from None


async def _left(ctx: AdminContext, path: str) -> Left:
    try:
        return await need(ctx.mover, "Deleting an old store").left(path)
    except MoveRefused as error:
        raise CallError(Failure.REFUSED, str(error)) from None


def _prospects(prospect: Prospect) -> str:
    if prospect.by_rename:
        return "On the same file system: the directory gets another name, and nothing is copied."
    begun = " An unfinished copy is there: it goes on." if prospect.resumes else ""
    return f"Copying takes about {_span(prospect.copying)}, the stop at the end {_span(prospect.stopped)}.{begun}"


def _line(step: Step, text: str = "") -> MoveLine:
    return MoveLine(step.files, Octets(step.octets), Octets(step.fresh), step.percent, text)


def _span(seconds: float) -> str:
    if seconds < 90:
        return f"{round(seconds)} seconds"
    return f"{round(seconds / 60)} minutes" if seconds < 5400 else f"{seconds / 3600:.1f} hours"
