"""The control process: the only writer of the two configuration files, and the admin calls on the local socket."""

import asyncio
import contextlib
import json
import os
import time
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from pathlib import Path

from starlette.requests import Request

from whimbrel import __version__
from whimbrel.app.house import House
from whimbrel.app.processes.consoles import console_sessions, consoles
from whimbrel.app.processes.health import health_board, looking
from whimbrel.app.processes.switching import Switch
from whimbrel.backends.store.settings import StoreSettings
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.notices import CONFIG
from whimbrel.core.values import Secret
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.changes.audit import note_edits
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.descent import of_this_server
from whimbrel.services.admin.local import Peer, foreign, local_caller, serving
from whimbrel.services.admin.people.departing import Departing
from whimbrel.services.admin.people.lifecycle import recover
from whimbrel.services.admin.ports import Listening, Process, Running
from whimbrel.services.admin.server.operations import Operations
from whimbrel.services.admin.table import all_calls
from whimbrel.services.admin.web import application
from whimbrel.services.alerts.owner import AlertOwner
from whimbrel.services.alerts.sign_ins import follow
from whimbrel.services.alerts.teller import Teller
from whimbrel.services.health.board import Board
from whimbrel.services.jobs import JOBS
from whimbrel.services.jobs.job import JobContext
from whimbrel.services.jobs.owner import JobOwner
from whimbrel.services.peers.watch import PeerWatch
from whimbrel.services.probing.ports import Probes
from whimbrel.services.probing.post import OwnPost
from whimbrel.services.session.passwords import make_password


@contextlib.asynccontextmanager
async def controlling(house: House) -> AsyncIterator[None]:
    """Makes users.idx that of the file and the certificate that of the names; then serves."""
    await house.check_formats()
    house.config.subscribe(lambda paths: house.notices.publish(CONFIG))
    editor = house.editor
    await house.pool.run(house.tls.ensure_certificate)

    async def stored_password(password: Secret) -> StoredPassword:
        return await house.pool.run(make_password, password)

    switch, status, sessions = Switch(house), ServerState(house), console_sessions(house)
    ctx = AdminContext(
        config=house.config,
        editor=editor,
        directory=house.directory,
        clock=house.clock,
        log=house.log,
        make_password=stored_password,
        queue=house.queue,
        tasks=house.tasks,
        connections=house.connections,
        statistics=house.statistics,
        folders=house.folders,
        messages=house.messages,
        quotas=house.quotas,
        state=house.state,
        counters=house.counters,
        store=house.keeper,
        mover=house.mover,
        undelete=house.undelete,
        mailboxes=house.mailboxes,
        intents=house.intents,
        tokens=house.tokens,
        keys=house.keys,
        resolver=house.resolver,
        password_links=house.password_links,
        sessions=sessions,
        logs=house.logs,
        files=house.files,
        status=status,
        services=switch,
        live=True,
    )
    note_edits(ctx, house.config.edited_before(), editor.taken())
    await recover(ctx)

    operations = Operations(house.state, house.clock, house.log, house.ids.session_id)
    health = health_board(house, status, lambda: owner.list())  # noqa: PLW0108  # It is made below.
    peers = PeerWatch(house.asker, house.config, house.state, house.clock, house.log)
    owner = JobOwner(JOBS, job_context(house, health, peers, Departing(lambda: ctx)))
    post = own_post(house)
    alerts = alert_owner(house, post)
    health.subscribe(alerts.heard)
    probes = Probes(house.dialler, house.resolver, house.records, post)
    ctx = replace(
        ctx, operations=operations, jobs=owner, health=health, probes=probes, alerts=alerts, peers=peers,
        asker=house.asker,
    )  # fmt: skip

    def context(request: Request) -> AdminContext:
        return replace(ctx, caller=local_caller(request))

    async with (
        _following(switch.follow()),
        looking(health),
        alerts.running(),
        _following(follow(house.logs, alerts, house.log)),
        owner.running(),
        operations.running(),
        house.statistics.running(),
        serving(application(all_calls(), context), house.places.admin_socket, house.log, not_ours),
        consoles(house, sessions, lambda caller: replace(ctx, caller=caller)),
    ):
        yield


def not_ours(peer: Peer) -> str:
    """Why a peer of the admin socket is turned away: a worker of this server has no business there, and one that asks
    has been taken over. Empty: it is not."""
    if reason := foreign(peer):
        return reason
    return f"process {peer.process} is one of this server's" if of_this_server(peer.process) else ""


def alert_owner(house: House, post: OwnPost) -> AlertOwner:
    """Tells people by mail and webhook."""
    hostname = house.config.section(SmtpSettings).hostname
    teller = Teller(post, house.webhooks, hostname, __version__)
    return AlertOwner(teller, house.config, house.state, house.clock, house.log)


def own_post(house: House) -> OwnPost:
    """For messages of the server's own."""
    return OwnPost(house.reception, house.spool, house.config, house.directory, house.clock, house.ids)


@contextlib.asynccontextmanager
async def _following(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    """`work` goes on while the block does."""
    task = asyncio.get_running_loop().create_task(work)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def job_context(house: House, health: Board, peers: PeerWatch, departing: Departing) -> JobContext:
    """The ports of jobs."""
    config = house.config
    return JobContext(
        maintenance=house.keeper,
        self_check=lambda: float(config.section(StoreSettings).self_check),
        purging=house.purger,
        rotation=house.rotation,
        departures=departing,
        certificates=house.tls,
        room=lambda: house.space.room,
        edited=house.files,
        folders=house.folders,
        messages=house.messages,
        directory=house.directory,
        editor=house.editor,
        state=house.state,
        intake=house.reception,
        spool=house.spool,
        config=config,
        notices=house.notices,
        pool=house.pool,
        clock=house.clock,
        ids=house.ids,
        log=house.log,
        health=health,
        peers=peers,
        store=house.keeper,
        mailboxes=house.mailboxes,
        keys=house.keys,
        resolver=house.resolver,
    )


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
