"""The only place that names a backend: which one stands behind which port, and what each process consists of."""

import asyncio
import contextlib
import signal
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from whimbrel.app.clock import SystemClock, SystemIds
from whimbrel.app.installation import Installation
from whimbrel.app.process import open_files
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.space import DiskSpace, SpaceSettings
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.dns.resolver import DnsResolver
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.net.connector import NetConnector
from whimbrel.backends.net.driver import Connection
from whimbrel.backends.net.listener import Limits, Listener, watch_lag
from whimbrel.backends.notices.datagrams import DatagramNotices
from whimbrel.backends.queue.store import QueueStore
from whimbrel.backends.state.counters import SharedCounters
from whimbrel.backends.state.state import SqliteState
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.tasks.sockets import serving as serving_tasks
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.core.config import ConfigError
from whimbrel.core.notices import CONFIG, FOLDER, QUEUE, USERS
from whimbrel.flow.delivery.destination import Finder
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.delivery.worker import QueueWorker
from whimbrel.flow.intake.reception import Reception
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.policy import Policy
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.imapd.server import ImapServer
from whimbrel.services.pop3d.server import Pop3Server
from whimbrel.services.session.folders import Furnisher
from whimbrel.services.session.record import SignInRecord
from whimbrel.services.session.services import ServicesSettings
from whimbrel.services.session.sign_in import SignIn
from whimbrel.services.smtpd.server import SmtpServer

Sockets = Mapping[str, list[socket.socket]]
POOL_THREADS = 8
TOPICS = {"mail": (FOLDER, CONFIG, USERS), "queue": (QUEUE, CONFIG, USERS), "control": (FOLDER,)}
"""What each kind of process wants to hear of from the others; control makes the changes itself."""
GRACE = 10.0
"""Seconds sessions have to finish what they are at when the server stops."""


@dataclass(frozen=True, slots=True)
class House:
    """The ports as one process has them."""

    installation: Installation
    config: FileConfig
    log: FileLog
    clock: SystemClock
    ids: SystemIds
    pool: ThreadPool
    notices: DatagramNotices
    committer: Committer
    spool: DiskSpool
    store: DiskStore
    queue: QueueStore
    directory: IndexDirectory
    counters: SharedCounters
    reception: Reception
    state: SqliteState
    space: DiskSpace


@contextlib.asynccontextmanager
async def start(
    installation: Installation, role: str, slot: int, title: str, sockets: Sockets, generation: int
) -> AsyncIterator[None]:
    """A worker's parts, for as long as the block runs."""
    from whimbrel.app.control import control  # It imports House from here.

    parts: dict[str, Callable[[House], contextlib.AbstractAsyncContextManager[None]]] = {
        "mail": lambda house: mail(house, sockets),
        "queue": sending,
        "control": control,
    }
    async with open_house(installation, slot, title, generation) as house, parts[role](house):
        house.log.info("server.started", process=title)
        yield
        house.log.info("server.stopping", process=title)


@contextlib.asynccontextmanager
async def open_house(installation: Installation, slot: int, title: str, generation: int) -> AsyncIterator[House]:
    """Opens the store and everything on it; closes in the order that loses nothing."""
    async with contextlib.AsyncExitStack() as stack:
        clock, ids = SystemClock(), SystemIds(slot)
        pool = ThreadPool(POOL_THREADS)
        stack.callback(pool.close)
        journal = Journal(installation.logs)
        stack.callback(journal.close)
        log = FileLog(journal, lambda: config.section(LogSettings))
        config = installation.load_config(pool=pool, log=log)
        journal.use(lambda: config.section(LogSettings))
        space = DiskSpace(
            (installation.store, installation.store / "mail", installation.queue),
            lambda: config.section(SpaceSettings),
            log if title.startswith("control") else None,
        )
        space.look()
        stack.callback(asyncio.get_running_loop().create_task(space.watch(pool)).cancel)
        notices = DatagramNotices(
            installation.run / "notices", title.replace("/", "-"), TOPICS[title.partition("/")[0]]
        )
        notices.start()
        stack.callback(notices.close)
        directory = IndexDirectory(installation.users_index)
        stack.callback(directory.close)
        _follow_changes(config, directory, notices, log)
        barrier = Barrier(installation.store)
        stack.callback(barrier.close)
        committer = Committer(barrier, log)
        queue = QueueStore(installation.queue, installation.store / "spool", committer, pool, notices, log)
        stack.callback(queue.close)
        store = DiskStore(
            installation.store,
            committer=committer,
            pool=pool,
            notices=notices,
            log=log,
            generation=generation,
            queue=queue,
        )
        stack.callback(store.close)
        stack.callback(committer.close)
        spool = DiskSpool(store.spool, pool)
        counters = SharedCounters(installation.run / "counters", clock)
        stack.callback(counters.close)
        state = SqliteState(installation.store / "state.db", clock, log)
        await state.open()  # One of a newer release is refused here.
        stack.push_async_callback(state.close)
        reception = Reception(
            directory=directory,
            folders=store,
            spool=spool,
            commit=store,
            policy=Policy([make(config) for make in FILTERS], config, log),
            config=config,
            state=state,
            counters=counters,
            clock=clock,
            ids=ids,
            log=log,
            space=space,
        )
        yield House(
            installation, config, log, clock, ids, pool, notices, committer, spool, store, queue, directory, counters,
            reception, state, space,
        )  # fmt: skip


def _follow_changes(config: FileConfig, directory: IndexDirectory, notices: DatagramNotices, log: FileLog) -> None:
    def reload(_key: str) -> None:
        try:
            config.reload_if_changed()
        except ConfigError as error:
            log.error("config.refused", error=str(error))

    notices.subscribe(CONFIG, reload)
    notices.subscribe(USERS, lambda key: directory.refresh())


@contextlib.asynccontextmanager
async def mail(house: House, sockets: Sockets) -> AsyncIterator[None]:
    """Sessions of SMTP, LMTP, IMAP and POP3 on the inherited sockets."""
    contexts = TlsContexts(
        house.config,
        house.installation.tls,
        lambda: (house.config.section(SmtpSettings).hostname,),
        house.log,
        house.clock,
    )
    sign_in = SignIn(
        directory=house.directory,
        config=house.config,
        counters=house.counters,
        pool=house.pool,
        log=house.log,
        clock=house.clock,
        record=SignInRecord(house.state, house.clock),
        furnisher=Furnisher(house.store, house.state, house.config, house.clock),
    )

    def context() -> ssl.SSLContext | None:
        try:
            return contexts.server_context()
        except OSError as error:
            house.log.error("tls.certificate-unusable", reason=str(error))
            return None

    shared: dict[str, Any] = {
        "config": house.config,
        "sign_in": sign_in,
        "log": house.log,
        "clock": house.clock,
        "ids": house.ids,
        "tls": context,
    }
    smtp = SmtpServer(reception=house.reception, directory=house.directory, **shared)
    imap = ImapServer(
        folders=house.store,
        messages=house.store,
        changes=house.store,
        spool=house.spool,
        commit=house.store,
        pool=house.pool,
        space=house.space,
        quotas=house.reception.quotas,
        **shared,
    )
    pop3 = Pop3Server(folders=house.store, messages=house.store, counters=house.counters, **shared)
    servers: dict[str, tuple[Callable[[], Any], Any, bytes]] = {
        name: (partial(smtp.engine, name), smtp.session, b"421 4.3.2 Too many connections\r\n")
        for name in ("smtp", "submission", "submissions", "lmtp")
    }
    servers |= dict.fromkeys(("imap", "imaps"), (imap.engine, imap.session, b"* BYE Too many connections\r\n"))
    servers |= dict.fromkeys(
        ("pop3", "pop3s"), (pop3.engine, pop3.session, b"-ERR [SYS/TEMP] Too many connections\r\n")
    )
    listeners = []
    for name, listening in sockets.items():
        engine, session, refusal = servers[name]
        listener = Listener(name, partial(_limits, house.config, name), house.log)
        implicit = house.config.section(ServicesSettings).named(name).tls == "implicit"
        listener.open(
            listening,
            _factory(engine),
            partial(session, service=name),
            refusal=b"" if implicit else refusal,
            tls=context if implicit else None,
        )
        listeners.append(listener)
    watch = asyncio.get_running_loop().create_task(watch_lag(listeners))
    try:
        yield
    finally:
        watch.cancel()
        await asyncio.gather(*(listener.close(GRACE) for listener in listeners))


def _limits(config: FileConfig, name: str) -> Limits:
    service = config.section(ServicesSettings).named(name)
    return Limits(service.max_connections, service.max_connections_per_host)


def _factory(engine: Callable[[], Any]) -> Callable[[], Connection[Any, Any]]:
    return lambda: Connection(engine())


@contextlib.asynccontextmanager
async def sending(house: House) -> AsyncIterator[None]:
    """The queue worker."""
    resolver = DnsResolver(house.config, house.clock, house.log)
    contexts = TlsContexts(
        house.config,
        house.installation.tls,
        lambda: (house.config.section(SmtpSettings).hostname,),
        house.log,
        house.clock,
    )
    ours = Ours(house.config)
    finder = Finder(resolver, house.config, ours)
    smtp = SmtpAgent(
        queue=house.queue,
        finder=finder,
        connector=NetConnector(contexts, resolver),
        config=house.config,
        log=house.log,
        clock=house.clock,
    )
    worker = QueueWorker(
        queue=house.queue,
        smtp=smtp,
        local=LocalAgent(
            queue=house.queue,
            directory=house.directory,
            placement=house.reception.placement,
            spool=house.spool,
            commit=house.store,
            resume=house.reception.resume,
        ),
        reports=house.reception.reports,
        config=house.config,
        log=house.log,
        clock=house.clock,
        connections=max(open_files() // 2, 64),
    )
    odd = await house.pool.run(house.queue.recover)
    if odd:
        house.log.warning("queue.recovered", entries=odd)
    task = asyncio.get_running_loop().create_task(worker.run())
    task.add_done_callback(partial(_ended, house))
    try:
        async with serving_tasks(worker.tasks, house.installation.run / "tasks", "queue"):
            yield
    finally:
        worker.stop()
        await asyncio.wait([task], timeout=GRACE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await smtp.close()
        await resolver.close()


def _ended(house: House, task: "asyncio.Task[None]") -> None:
    """A worker that met a bug ends its process, and the supervisor starts another: a queue that stands still without
    a word would be worse."""
    if not task.cancelled() and (error := task.exception()) is not None:
        house.log.exception("queue.stalled", error)
        signal.raise_signal(signal.SIGTERM)


class Ours:
    """Whether an address and port is where we listen ourselves: sending there would go round in a circle."""

    def __init__(self, config: FileConfig) -> None:
        self._config = config

    def __call__(self, ip: str, port: int) -> bool:
        smtp = self._config.section(ServicesSettings).smtp
        return smtp.enabled and any(
            address.port == port and (address.host == ip or (address.host == "*" and _is_local(ip)))
            for address in smtp.listen
        )


def _is_local(ip: str) -> bool:
    """An address of this machine can be bound."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((ip, 0))
        except OSError:
            return False
    return True
