"""The only place that names a backend: which one stands behind which port of the house."""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar, cast

from whimbrel.app import store_mark
from whimbrel.app.certificates import Certificates
from whimbrel.app.clock import SystemClock, SystemIds
from whimbrel.app.config_files import FormerVersions
from whimbrel.app.dialler import GuardedAsker, GuardedDialler, GuardedWebhooks
from whimbrel.app.house import House, Supervision
from whimbrel.app.installation import Installation
from whimbrel.app.keeper import DiskKeeper
from whimbrel.app.machine.host import HostMachine
from whimbrel.app.process import server_run
from whimbrel.app.services import SERVICES
from whimbrel.app.store_move.mover import Mover
from whimbrel.backends.config.dkim_keys import DkimKeyFiles
from whimbrel.backends.config.files import History
from whimbrel.backends.config.password_links import PasswordLinkFile
from whimbrel.backends.config.settings import HistorySettings
from whimbrel.backends.config.tokens import TokenFile
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.intents import IntentFiles
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.disk.barrier import Barrier
from whimbrel.backends.disk.committer import Committer
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.disk.space import DiskSpace, SpaceSettings
from whimbrel.backends.disk.spool import DiskSpool
from whimbrel.backends.dns.resolver import DnsResolver
from whimbrel.backends.live.connections import AllConnections
from whimbrel.backends.live.sockets import Answers
from whimbrel.backends.live.tasks import AllTasks
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.keeper import LogKeeper
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.tail import LogReader
from whimbrel.backends.net.connector import NetConnector
from whimbrel.backends.net.guard import GuardedConnector
from whimbrel.backends.net.proxy import Proxy
from whimbrel.backends.net.settings import OutgoingSettings, proxy_place
from whimbrel.backends.notices.datagrams import DatagramNotices
from whimbrel.backends.queue.store import QueueStore
from whimbrel.backends.state.counters import SharedCounters
from whimbrel.backends.state.state import SqliteState
from whimbrel.backends.stats.board import Board
from whimbrel.backends.stats.counted import rules
from whimbrel.backends.stats.recorder import Recorder
from whimbrel.backends.store.disk.mailboxes import DiskMailboxes
from whimbrel.backends.store.disk.purge import Purger
from whimbrel.backends.store.disk.store import DiskStore
from whimbrel.backends.store.disk.undelete import DiskUndelete
from whimbrel.backends.store.settings import StoreSettings
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.server import ServerContexts
from whimbrel.core.config import ConfigError
from whimbrel.core.definitions import Definitions
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.notices import CONFIG, USERS
from whimbrel.core.quota import Quotas
from whimbrel.flow.intake.reception import Reception
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.policy import Policy
from whimbrel.flow.judging.ports import FilterPorts
from whimbrel.flow.settings import SmtpSettings
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.session.authenticator import Authenticator
from whimbrel.services.session.folders import Furnisher
from whimbrel.services.session.record import SignInRecord

T = TypeVar("T")

POOL_THREADS = 8
PATIENT_THREADS = 4
CONCLUDING = 5.0
"""Seconds that filters have for what they do after deliveries when the process ends."""
PURGE_PAUSE = 0.05
"""Seconds between two steps of the purge."""


class DiskHouse:
    """The ports of one process of a server on one machine's disk. For one event loop."""

    def __init__(
        self,
        installation: Installation,
        slot: int,
        title: str,
        topics: Collection[str],
        generation: int,
        supervision: Supervision,
        tls: ServerContexts | None = None,
    ) -> None:
        """`slot` tells the processes apart in ids, `topics` are the notices this one wants, `generation` is the
        store's, `tls` was made before the fork."""
        self.title, self.places, self._generation = title, installation, generation
        self.supervision, self._server_contexts = supervision, tls
        self._stack = contextlib.AsyncExitStack()
        self._made: dict[Callable[[House], Any], Any] = {}
        self.clock, self.ids = SystemClock(), SystemIds(slot)
        self.pool = ThreadPool(POOL_THREADS)
        self._stack.callback(self.pool.close)
        self.presence = store_mark.presence(installation.directory, installation.store)
        journal = Journal(installation.logs, presence=self.presence)
        self._stack.callback(journal.close)
        self.tally, self.answers = Board([service.name for service in SERVICES]), Answers()
        journal.count(rules(self.tally))
        self.log = FileLog(journal, lambda: self.config.section(LogSettings))
        self.presence.log = self.log if title.startswith("control") else None  # One tells.
        self.config = installation.load_config(pool=self.pool, log=self.log)
        journal.use(lambda: self.config.section(LogSettings))
        self.notices = DatagramNotices(installation.run / "notices", title.replace("/", "-"), topics)
        self.notices.start()
        self._stack.callback(self.notices.close)
        self.notices.subscribe(CONFIG, self._reload)

    async def close(self) -> None:
        """In the order that loses nothing: what stands on something else is closed before it."""
        await self._stack.aclose()

    def shared(self, make: Callable[[House], T]) -> T:
        if make not in self._made:
            self._made[make] = make(self)
        return cast(T, self._made[make])

    def _reload(self, _key: str) -> None:
        try:
            self.config.reload_if_changed()
        except ConfigError as error:
            self.log.error("config.refused", error=str(error))

    # The directory

    @cached_property
    def directory(self) -> IndexDirectory:
        directory = IndexDirectory(self.places.users_index)
        self._stack.callback(directory.close)
        self.notices.subscribe(USERS, lambda key: directory.refresh())
        return directory

    @cached_property
    def editor(self) -> DirectoryFile:
        editor = DirectoryFile(
            self.places.users_file,
            self.places.users_index,
            records=RECORDS,
            pool=self.pool,
            log=self.log,
            history=History(self.places.history, lambda: self.config.section(HistorySettings).retention),
            changed=lambda: self.notices.publish(USERS),
        )
        self._stack.callback(editor.close)
        editor.open()
        return editor

    @cached_property
    def files(self) -> FormerVersions:
        return FormerVersions(self.config, self.editor, self.pool)

    @cached_property
    def patient_pool(self) -> ThreadPool:
        pool = ThreadPool(PATIENT_THREADS)
        self._stack.callback(pool.close)
        return pool

    @cached_property
    def machine(self) -> HostMachine:
        return HostMachine(self.config, self.places.store, self.places.queue, self.places.tls, self.presence)

    # The store and the queue, which share a committer

    @cached_property
    def _stored(self) -> tuple[DiskStore, QueueStore]:
        places = self.places
        barrier = Barrier(places.store)
        self._stack.callback(barrier.close)
        committer = Committer(barrier, self.log)
        queue = QueueStore(
            places.queue, places.store / "spool", committer, self.pool, self.notices, self.log, self.presence
        )
        self._stack.callback(queue.close)
        store = DiskStore(
            places.store,
            committer=committer,
            pool=self.pool,
            notices=self.notices,
            log=self.log,
            generation=self._generation,
            queue=queue,
            presence=self.presence,
        )
        self._stack.callback(store.close)
        self._stack.callback(committer.close)  # First: what it holds goes into the two.
        return store, queue

    @property
    def _store(self) -> DiskStore:
        return self._stored[0]

    @property
    def folders(self) -> DiskStore:
        return self._store

    messages = changes = commit = folders

    @property
    def queue(self) -> QueueStore:
        return self._stored[1]

    async def recover_queue(self) -> int:
        repaired = await self.pool.run(self.queue.recover)
        # To who has a queue.db open that was deleted before this process began: what it holds belongs to this one.
        self.queue.announce()
        return repaired

    @cached_property
    def spool(self) -> DiskSpool:
        return DiskSpool(self._store.spool, self.pool, self.presence)

    @cached_property
    def keeper(self) -> DiskKeeper:
        return DiskKeeper(self._store, self.pool)

    @cached_property
    def mover(self) -> Mover:
        async def restart() -> None:
            self.supervision.restart()

        return Mover(self.places, self.config, self.patient_pool, self.clock, restart)

    @cached_property
    def undelete(self) -> DiskUndelete:
        return DiskUndelete(self._store, self.pool)

    @cached_property
    def mailboxes(self) -> DiskMailboxes:
        return DiskMailboxes(self._store, self.pool)

    @cached_property
    def intents(self) -> IntentFiles:
        return IntentFiles(self.places.unfinished, self.places.users_file, self.pool, self.log)

    @cached_property
    def tokens(self) -> TokenFile:
        return TokenFile(self.places.tokens_file, self.places.users_file, self.pool)

    @cached_property
    def keys(self) -> DkimKeyFiles:
        return DkimKeyFiles(self.places.keys, self.places.users_file, self.pool, self.clock)

    @cached_property
    def password_links(self) -> PasswordLinkFile:
        return PasswordLinkFile(self.places.password_links_file, self.places.users_file, self.pool, self.clock)

    @cached_property
    def purger(self) -> "MailPurger":
        return MailPurger(self)

    # State, counters, space

    @cached_property
    def state(self) -> SqliteState:
        state = SqliteState(self.places.store / "state.db", self.clock, self.log, presence=self.presence)
        self._stack.push_async_callback(state.close)
        return state

    async def check_formats(self) -> None:
        await self.state.open()

    @cached_property
    def counters(self) -> SharedCounters:
        counters = SharedCounters(self.places.run / "counters", self.clock)
        self._stack.callback(counters.close)
        return counters

    @cached_property
    def space(self) -> DiskSpace:
        places = self.places
        space = DiskSpace(
            (places.store, places.store / "mail", places.queue),
            lambda: self.config.section(SpaceSettings),
            self.log if self.title.startswith("control") else None,
        )
        space.look()
        self._stack.callback(asyncio.get_running_loop().create_task(space.watch(self.pool)).cancel)
        return space

    # The way of a message, signing in

    @cached_property
    def policy(self) -> Policy:
        ports = FilterPorts(
            config=self.config,
            resolver=self.resolver,
            counters=self.counters,
            state=self.state,
            directory=self.directory,
            pool=self.pool,
            clock=self.clock,
            log=self.log,
        )
        policy = Policy([kind(ports) for kind in FILTERS], ports)
        self._stack.push_async_callback(policy.conclusions.close, CONCLUDING)
        return policy

    @cached_property
    def reception(self) -> Reception:
        return Reception(
            directory=self.directory,
            folders=self.folders,
            spool=self.spool,
            commit=self.commit,
            policy=self.policy,
            config=self.config,
            state=self.state,
            counters=self.counters,
            clock=self.clock,
            ids=self.ids,
            log=self.log,
            space=self.space,
            keys=self.keys,
            pool=self.pool,
        )

    @property
    def quotas(self) -> Quotas:
        return self.reception.quotas

    @cached_property
    def sign_in(self) -> Authenticator:
        furnisher = Furnisher(self.folders, self.state, self.config, self.clock)
        authenticator = Authenticator.of_users_file(
            directory=self.directory,
            config=self.config,
            counters=self.counters,
            pool=self.pool,
            log=self.log,
            clock=self.clock,
            record=SignInRecord(self.state, self.clock),
            furnisher=furnisher,
            installation_key=lambda: self.places.key.derived("keys of unknown users"),
            version=self.directory.version,
        )
        self._stack.push_async_callback(authenticator.close)
        self.notices.subscribe(USERS, authenticator.directory_changed)
        self.notices.subscribe(USERS, furnisher.users_changed)
        return authenticator

    # The network

    @cached_property
    def _contexts(self) -> TlsContexts:
        return TlsContexts(
            self.config,
            self.places.tls,
            lambda: (self.config.section(SmtpSettings).hostname,),
            self.log,
            self.clock,
            self._server_contexts,
        )

    @cached_property
    def tls(self) -> Certificates:
        return Certificates(self._contexts, self.log)

    @cached_property
    def resolver(self) -> DnsResolver:
        resolver = DnsResolver(self.config, self.clock, self.log)
        self._stack.push_async_callback(resolver.close)
        return resolver

    @property
    def records(self) -> DnsResolver:
        return self.resolver

    @cached_property
    def dialler(self) -> GuardedDialler:
        return GuardedDialler(self._contexts, self.resolver, self._opened)

    @cached_property
    def webhooks(self) -> GuardedWebhooks:
        return GuardedWebhooks(
            GuardedConnector(self._contexts, self.resolver, self._opened, proxy=self._outgoing_proxy)
        )

    def _outgoing_proxy(self) -> Proxy | None:
        settings = self.config.section(OutgoingSettings)
        place = proxy_place(settings.proxy)
        return Proxy(*place, settings.proxy_user, settings.proxy_password) if place is not None else None

    @cached_property
    def asker(self) -> GuardedAsker:
        return GuardedAsker(self._contexts, self.resolver, self._opened, self.patient_pool)

    def _opened(self) -> tuple[str, ...]:
        """Private networks that an administrator opened to requests on others' behalf."""
        return self.config.section(Definitions).networks(self.config.section(OutgoingSettings).allow)

    @cached_property
    def connector(self) -> NetConnector:
        return NetConnector(self._contexts, self.resolver, tally=self.tally)

    # Logs, deliveries under way

    @cached_property
    def logs(self) -> LogReader:
        return LogReader(self.places.logs, self.pool, lambda: self.config.section(LogSettings))

    @cached_property
    def rotation(self) -> "Rotation":
        return Rotation(self)

    @cached_property
    def tasks(self) -> AllTasks:
        return AllTasks(self.places.run / "live")

    @cached_property
    def statistics(self) -> Recorder:
        return Recorder(
            self.places.store / "stats",
            self.places.run / "stats",
            [service.name for service in SERVICES],
            look=self._gauges,
            clock=self.clock,
            pool=self.pool,
            log=self.log,
            server=server_run,
            presence=self.presence,
        )

    async def _gauges(self) -> Mapping[str, float]:
        gauges = {"disk-free": float(self.space.room.free)}
        with contextlib.suppress(MailError, OSError):
            counts = await self.queue.counts(self.clock.now())
            gauges |= {"queue": counts.waiting, "queue-held": counts.held}
        return gauges

    @cached_property
    def connections(self) -> AllConnections:
        return AllConnections(self.places.run / "live")


class MailPurger:
    """Purging, by the times that server and domains set."""

    def __init__(self, house: DiskHouse) -> None:
        self._house = house
        self._purger = Purger(house.folders, house.pool, self._keep, pause=PURGE_PAUSE)
        # Of its own: deleted mail makes no room on another file system.
        self._space = DiskSpace((house.folders.mail,), lambda: house.config.section(SpaceSettings))
        self.round, self.relieve = self._purger.round, self._purger.relieve

    async def short(self) -> bool:
        return (await self._house.pool.run(self._space.look)).short

    async def _keep(self, account: AccountId) -> float:
        domain = await self._house.directory.domain(account.rpartition("@")[2])
        own = domain.keep_deleted if domain is not None else None
        return float(self._house.config.section(StoreSettings).keep_deleted) if own is None else own


class Rotation:
    """LogRotation, by the settings in use."""

    def __init__(self, house: DiskHouse) -> None:
        self._house, self._keeper = house, LogKeeper(house.places.logs, house.log)
        self.index = self._keeper.index

    def rotate(self) -> None:
        self._keeper.rotate(self._house.config.section(LogSettings), self._house.clock.now())

    def pause(self) -> float:
        return self._keeper.pause(self._house.clock.now())


if TYPE_CHECKING:

    def _port(house: DiskHouse) -> House:
        return house
