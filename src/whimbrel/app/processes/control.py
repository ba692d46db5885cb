"""The control process: the only writer of the two configuration files, and the admin calls on the local socket."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from pathlib import Path

from starlette.requests import Request

from whimbrel import __version__
from whimbrel.app.house import House
from whimbrel.app.processes.switching import Switch
from whimbrel.backends.disk.space import SpaceSettings
from whimbrel.backends.store.settings import StoreSettings
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.notices import CONFIG, FOLDER
from whimbrel.core.values import Secret
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.lifecycle import recover
from whimbrel.services.admin.local import local_caller, serving
from whimbrel.services.admin.operations import Operations
from whimbrel.services.admin.ports import Listening, Process, Running
from whimbrel.services.admin.table import all_calls
from whimbrel.services.admin.web import application
from whimbrel.services.jobs import JOBS
from whimbrel.services.jobs.job import JobContext, keep_running
from whimbrel.services.jobs.low_space import Found, watch_space
from whimbrel.services.jobs.usage import UsageWatch
from whimbrel.services.session.passwords import make_password

CERTIFICATE_CHECK = 86_400.0
PURGE_CHECK = 3600.0
SPACE_CHECK = 60.0
PAUSE = 0.05
"""Seconds between two folders of a round of self-checks."""


@contextlib.asynccontextmanager
async def controlling(house: House) -> AsyncIterator[None]:
    """Makes users.idx that of the file and the certificate that of the names; then serves."""
    await house.check_formats()
    house.config.subscribe(lambda paths: house.notices.publish(CONFIG))
    editor = house.editor
    await house.pool.run(house.tls.ensure_certificate)

    async def stored_password(password: Secret) -> StoredPassword:
        return await house.pool.run(make_password, password)

    switch = Switch(house)
    ctx = AdminContext(
        config=house.config,
        editor=editor,
        directory=house.directory,
        clock=house.clock,
        log=house.log,
        make_password=stored_password,
        queue=house.queue,
        tasks=house.tasks,
        folders=house.folders,
        messages=house.messages,
        quotas=house.quotas,
        state=house.state,
        store=house.keeper,
        undelete=house.undelete,
        mailboxes=house.mailboxes,
        intents=house.intents,
        logs=house.logs,
        files=house.files,
        status=ServerState(house),
        services=switch,
        live=True,
    )
    await recover(ctx)

    operations = Operations(house.state, house.clock, house.log, house.ids.session_id)
    await operations.restore()
    ctx = replace(ctx, operations=operations)

    def context(request: Request) -> AdminContext:
        return replace(ctx, caller=local_caller(request))

    jobs = JobContext(
        accounts=house.keeper.accounts,
        folders=house.folders,
        messages=house.messages,
        directory=house.directory,
        editor=editor,
        state=house.state,
        intake=house.reception,
        spool=house.spool,
        config=house.config,
        clock=house.clock,
        ids=house.ids,
        log=house.log,
    )
    watch = UsageWatch(jobs)
    unsubscribe = house.notices.subscribe(FOLDER, watch.heard)
    loop = asyncio.get_running_loop()
    chores = [
        loop.create_task(watch.run()),
        loop.create_task(switch.follow()),
        *(loop.create_task(keep_running(job, jobs)) for job in JOBS),
        loop.create_task(_every(CERTIFICATE_CHECK, house.tls.ensure_certificate, house)),
        loop.create_task(_keep_logs(house)),
        loop.create_task(watch_space(jobs, lambda: _space(house))),
        loop.create_task(_maintain(house)),
        loop.create_task(_purge(house)),
        loop.create_task(_relieve(house)),
    ]
    try:
        async with serving(
            application(all_calls(), context),
            house.places.admin_socket,
            house.log,
        ):
            yield
    finally:
        await operations.close()
        unsubscribe()
        for chore in chores:
            chore.cancel()
        await asyncio.gather(*chores, return_exceptions=True)


async def _every(seconds: float, work: Callable[[], object], house: House) -> None:
    while True:
        await asyncio.sleep(seconds)
        try:
            await house.pool.run(work)
        except Exception as error:  # A chore that meets a bug is still done the next time.
            house.log.exception("server.chore-failed", error)


def _space(house: House) -> Found:
    room = house.space.room
    return Found(room.short, room.folder, room.free, house.config.section(SpaceSettings).notify)


async def _keep_logs(house: House) -> None:
    """Puts log files aside when they are due, and indexes them a little at a time."""
    while True:
        more = False
        try:
            await house.pool.run(house.rotation.rotate)
            more = await house.pool.run(house.rotation.index)
        except Exception as error:  # A chore that meets a bug is still done the next time.
            house.log.exception("server.chore-failed", error)
        await asyncio.sleep(PAUSE if more else house.rotation.pause())


async def _maintain(house: House) -> None:
    """The store heals without being asked: a round over all folders, again and again."""
    while True:
        await asyncio.sleep(float(house.config.section(StoreSettings).self_check))
        try:
            folders = await house.keeper.maintain(PAUSE)
        except Exception as error:  # A chore that meets a bug is still done the next time.
            house.log.exception("server.chore-failed", error)
        else:
            house.log.info("store.looked-after", folders=folders)


async def _purge(house: House) -> None:
    """What was deleted goes when it was kept long enough."""
    while True:
        await asyncio.sleep(PURGE_CHECK)
        try:
            accounts = await house.keeper.accounts()
            purged = await house.purger.round(accounts)
        except Exception as error:  # A chore that meets a bug is still done the next time.
            house.log.exception("server.chore-failed", error)
        else:
            if purged.messages:
                house.log.info("store.purged", messages=purged.messages, bytes=purged.bytes)


async def _relieve(house: House) -> None:
    """Before a full disk stops new mail, deleted mail makes room for it."""
    while True:
        await asyncio.sleep(SPACE_CHECK)
        try:
            if not await house.purger.short():
                continue
            purged = await house.purger.relieve(await house.keeper.accounts(), house.purger.short)
        except Exception as error:  # A chore that meets a bug is still done the next time.
            house.log.exception("server.chore-failed", error)
        else:
            if purged.messages:
                house.log.warning("store.made-room", messages=purged.messages, bytes=purged.bytes)


class ServerState:
    """The admin port ServerStatus: from what the zygote says, and from /proc."""

    def __init__(self, house: House) -> None:
        self._house, self._started = house, time.time()
        self._ready = house.places.run / "ready.json"

    async def running(self) -> Running:
        try:
            supervisor = int(json.loads(self._ready.read_text()).get("pid", 0))
        except (OSError, ValueError):
            supervisor = 0
        state, room = self._house.supervision.state, self._house.space.room
        refused: dict[str, list[str]] = {}
        for each in state.get("refused", ()):
            refused.setdefault(each["service"], []).append(f"{each['address']}: {each['error']}")
        bound, overrides = state.get("bound", {}), state.get("overrides", {})
        return Running(
            __version__,
            supervisor,
            self._started,
            tuple(_processes(supervisor, os.getppid())),
            tuple(
                Listening(name, tuple(bound.get(name, ())), tuple(refused.get(name, ())), overrides.get(name))
                for name in {**bound, **refused, **overrides}
            ),
            room.free,
            room.word,
        )


def _processes(supervisor: int, zygote: int) -> list[Process]:
    """Where /proc tells; else only this process."""
    names = {supervisor: "supervisor", zygote: "zygote", os.getpid(): "control"}
    processes = []
    try:
        children = Path(f"/proc/{zygote}/task/{zygote}/children").read_text().split()
    except OSError:
        children = []
    for pid in [supervisor, zygote, *map(int, children)]:
        try:
            pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
            title = Path(f"/proc/{pid}/comm").read_text().strip()
        except (OSError, ValueError, IndexError):
            continue
        processes.append(Process(names.get(pid, title), pid, pages * os.sysconf("SC_PAGE_SIZE")))
    return processes
