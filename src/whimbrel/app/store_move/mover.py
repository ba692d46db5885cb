"""The port StoreMover: control's side of a move, or that of a command without a server."""

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.app import interpreter, store_mark
from whimbrel.app.installation import Installation
from whimbrel.app.store_move import plan as plans
from whimbrel.app.store_move.prospect import look
from whimbrel.backends.disk.space import SpaceSettings
from whimbrel.backends.disk.tree_copy import MARK
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigStore
from whimbrel.core.pool import Pool
from whimbrel.core.store_move import Left, Move, MoveRefused, Plan, Prospect, Step

PROGRAM: Final = "whimbrel.app.store_move.copier"
DELETED: Final = 500
"""Files that are deleted in one go."""
_LINE: Final = 64 * 1024


class Mover:
    def __init__(
        self,
        installation: Installation,
        config: ConfigStore,
        pool: Pool,
        clock: Clock,
        restart: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`restart`: lets the server stop and start; None: none runs."""
        self._directory, self._store = installation.directory, installation.store
        self._config, self._pool, self._clock, self._restart = config, pool, clock, restart
        self._busy = False

    async def plan(self) -> Plan:
        if not self._busy:  # What the latest move was at when its server ended.
            await self._pool.run(self._failed, "The server ended meanwhile")
        return await self._pool.run(plans.read, self._directory)

    async def prospect(self, target: str) -> Prospect:
        limits = self._config.section(SpaceSettings)
        return await self._pool.run(look, self._directory, self._store, Path(target), limits)

    async def move(self, prospect: Prospect, by: str) -> AsyncGenerator[Step]:
        with self._alone():
            move = await self._pool.run(self._begin, prospect, by)
            done = False
            try:
                if not move.by_rename or self._restart is None:
                    async with contextlib.aclosing(self._copy(whole=self._restart is None)) as steps:
                        async for step in steps:
                            yield step
                if self._restart is not None:
                    await self._pool.run(self._becomes_ready)
                done = True
            except MoveRefused as error:
                await self._pool.run(self._failed, str(error))
                raise
            finally:
                if not done:  # Cancelled, too.
                    self._failed("It was cancelled")
        yield Step(prospect.files, prospect.octets, 0, 100)

    async def restart(self) -> None:
        if self._restart is not None:
            await self._restart()

    async def left(self, path: str) -> Left:
        return await self._pool.run(self._left, path)

    async def delete(self, left: Left) -> AsyncGenerator[Step]:
        with self._alone():
            await self._pool.run(self._left, left.path)
            names = _below(Path(left.path))
            files = 0
            while batch := await self._pool.run(_next, names, DELETED):
                files += batch
                yield Step(files, 0, 0, 50)
            await self._pool.run(self._forget, left)
        yield Step(files, 0, 0, 100)

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        if self._busy:
            raise MoveRefused("A move of the store is under way: see `whimbrel operation list`")
        self._busy = True
        try:
            yield
        finally:
            self._busy = False

    # On threads

    def _begin(self, prospect: Prospect, by: str) -> Move:
        """The copy has its mark before the first file. MoveRefused"""
        plan, target = plans.read(self._directory), Path(prospect.target)
        if plan.move is not None and plan.move.state == "ready":
            raise MoveRefused(f"The store is about to move to {plan.move.target}: restart the server for it")
        if plan.move is not None and prospect.resumes and plans.marked(target / MARK).get("id") == plan.move.id:
            number = plan.move.id
        else:
            number = plans.marked(target / MARK).get("id") or secrets.token_hex(8)
        move = Move(
            number, prospect.source, prospect.target, prospect.by_rename, "copying", self._clock.now(), by,
            files=prospect.files, octets=prospect.octets,
        )  # fmt: skip
        try:
            if not prospect.by_rename:
                mark = plans.marked(self._directory / store_mark.NAME).get("id", "")
                target.mkdir(mode=0o700, exist_ok=True)
                target.chmod(0o700)
                content = {"version": "1.0", "id": number, "store": mark, "from": prospect.source}
                plans.write_durably(target / MARK, content)
            plans.write(self._directory, Plan(move, plan.without_left(prospect.target).left))
        except OSError as error:
            raise MoveRefused(f"{error.filename or target}: {error.strerror or error}") from None
        return move

    def _becomes_ready(self) -> None:
        """MoveRefused"""
        try:
            plans.write(self._directory, plans.read(self._directory).becomes("ready"))
        except OSError as error:
            raise MoveRefused(f"{error.filename or self._directory}: {error.strerror or error}") from None

    def _failed(self, reason: str) -> None:
        """What was copied stays, for a later move to go on from, or to be deleted."""
        with contextlib.suppress(OSError):
            plan = plans.read(self._directory)
            move = plan.move
            if move is None or move.state != "copying":
                return
            if not move.by_rename and os.path.lexists(f"{move.target}/{MARK}"):
                plan = plan.with_left(Left(move.target, "copy", move.id, self._clock.now()))
            plans.write(self._directory, plan.becomes("failed", ended=self._clock.now(), error=reason))

    def _left(self, path: str) -> Left:
        """MoveRefused"""
        plan = plans.read(self._directory)
        left = next((each for each in plan.left if each.path == os.path.normpath(path)), None)
        if left is None:
            known = ", ".join(each.path for each in plan.left) or "nothing"
            raise MoveRefused(f"No move has left {path} behind; what was left: {known}")
        place, store = Path(left.path), Path(os.path.realpath(self._store))
        real = Path(os.path.realpath(place))
        if real == store or real in store.parents or store in real.parents:
            raise MoveRefused(f"{path} is, or has to do with, the store in force: {self._store}")
        if not place.exists():
            return left
        mark = plans.marked(place / (plans.MOVED if left.kind == "store" else MARK))
        ours = plans.marked(self._directory / store_mark.NAME).get("id", "")
        named = mark.get("id") == ours if left.kind == "store" else mark.get("store") == ours
        if place.is_symlink() or not ours or not named or (place / store_mark.NAME).exists():
            raise MoveRefused(f"{path} has not the mark of what a move of this store leaves: look at it yourself")
        return left

    def _forget(self, left: Left) -> None:
        place = Path(left.path)
        with contextlib.suppress(FileNotFoundError):
            # Its mark last: cut off before, it is still known for what it is.
            for name in sorted(os.listdir(place), key=lambda each: each in (plans.MOVED, MARK)):
                if name != "lost+found":
                    (place / name).unlink()
        with contextlib.suppress(OSError):  # A mount point, or in a directory of somebody else.
            place.rmdir()
        try:
            plans.write(self._directory, plans.read(self._directory).without_left(left.path))
        except OSError as error:
            raise MoveRefused(f"{error.filename or self._directory}: {error.strerror or error}") from None

    # The process that copies

    async def _copy(self, *, whole: bool) -> AsyncGenerator[Step]:
        """MoveRefused: its last word, or its end without one."""
        words = interpreter.command(PROGRAM, str(self._directory), *(["--whole"] if whole else []))
        child = await asyncio.create_subprocess_exec(
            *words, env=interpreter.environment(), cwd="/", limit=_LINE,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert child.stdout is not None
        last = Step(0, 0, 0, 0)
        try:
            async for line in child.stdout:
                said = json.loads(line)
                if "failed" in said:
                    raise MoveRefused(str(said["failed"]))
                if "done" in said:
                    return
                last = Step(said["files"], said["octets"], said["fresh"], said["percent"])
                yield last
            raise MoveRefused(f"The process that copied ended with status {await child.wait()}")
        finally:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()


def _below(folder: Path) -> Iterator[int]:
    """Deletes all below a directory but what stands at its top, one file or directory after the other. No link is
    followed. OSError"""
    with os.scandir(folder) as entries:
        tops = [each for each in entries if each.name != "lost+found" and each.is_dir(follow_symlinks=False)]
    for top in tops:
        for above, folders, files, descriptor in os.fwalk(top.path, topdown=False, follow_symlinks=False):
            del above
            for name in files:
                os.unlink(name, dir_fd=descriptor)
                yield 1
            for name in folders:
                if stat.S_ISLNK(os.lstat(name, dir_fd=descriptor).st_mode):
                    os.unlink(name, dir_fd=descriptor)
                else:
                    os.rmdir(name, dir_fd=descriptor)
        shutil.rmtree(top.path)


def _next(names: Iterator[int], most: int) -> int:
    """How many were deleted; 0: none is left. MoveRefused"""
    count = 0
    try:
        for _ in range(most):
            count += next(names)
    except StopIteration:
        return count
    except OSError as error:
        raise MoveRefused(f"{error.filename}: {error.strerror}") from None
    return count


if TYPE_CHECKING:
    from whimbrel.core.store_move import StoreMover

    def _port(mover: Mover) -> StoreMover:
        return mover
