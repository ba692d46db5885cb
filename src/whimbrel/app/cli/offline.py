"""Calls made by the command itself, on the files, while no server runs: the same functions, under DIR/lock.

The backends are loaded here and nowhere else in the command line. What a call does not need is not opened.
"""

import asyncio
import contextlib
import fcntl
import getpass
import json
import os
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Coroutine, Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

from whimbrel.app import ownership, store_lock, store_mark
from whimbrel.app.cli.client import Answer, Options
from whimbrel.app.clock import SystemClock
from whimbrel.app.config_files import FormerVersions
from whimbrel.app.installation import Installation
from whimbrel.app.machine.host import HostMachine
from whimbrel.app.rename_domain import rename_domain
from whimbrel.app.settings import MailServer
from whimbrel.app.store_move.mover import Mover
from whimbrel.backends.config.dkim_keys import DkimKeyFiles
from whimbrel.backends.config.files import ConfigFile, History
from whimbrel.backends.config.password_links import PasswordLinkFile
from whimbrel.backends.config.settings import HistorySettings
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.config.tokens import TokenFile
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.intents import IntentFiles
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.settings import LogSettings
from whimbrel.backends.logs.tail import LogReader
from whimbrel.core.config import ConfigError
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.values import Secret
from whimbrel.services.admin.calls import Call, CallError, Failure, Needs
from whimbrel.services.admin.changes.audit import note_edits
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.invoke import prepare, question, result_adapter, run, run_stream
from whimbrel.services.admin.people.lifecycle import recover
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.health.board import Board
from whimbrel.services.health.check import HealthContext
from whimbrel.services.health.checks import CHECKS
from whimbrel.services.session.passwords import make_password

_THREADS: Final = 2
T = TypeVar("T")


def invoke(directory: Path, call: Call, arguments: Mapping[str, object], options: Options) -> Answer:
    """The result as JSON values. CallError."""

    async def work() -> Answer:
        async with context(directory, call, options) as ctx:
            made = prepare(call, ctx, arguments)
            if options.question:
                return Answer(question=await question(made))
            result = await run(made)
            return Answer(json.loads(result_adapter(call).dump_json(result)), made.ctx.warnings)

    return asyncio.run(work())


def stream(
    directory: Path, call: Call, arguments: Mapping[str, object], options: Options, answer: Answer
) -> Iterator[Any]:
    """The items, as they come; `answer` gets the rest. CallError."""
    adapter = result_adapter(call)
    with asyncio.Runner() as runner:
        held = contextlib.AsyncExitStack()
        items: AsyncGenerator[object] | None = None
        interrupt = _Interrupt(runner.get_loop())
        try:
            ctx = runner.run(held.enter_async_context(context(directory, call, options)))
            made = prepare(call, ctx, arguments)
            items = run_stream(made)

            async def following() -> tuple[object, ...]:
                return tuple([item async for item in _first(items)])

            while item := runner.run(interrupt.ends(following())):
                yield json.loads(adapter.dump_json(item[0]))
            answer.warnings += made.ctx.warnings
        except _Interrupted:
            raise KeyboardInterrupt from None
        finally:
            if items is not None:
                runner.run(items.aclose())
            runner.run(held.aclose())


class _Interrupted(Exception):
    """By Ctrl-C. Not KeyboardInterrupt: out of a task that would tear the loop down."""


class _Interrupt:
    """Ctrl-C while something is followed. As a callback of the loop it comes between two steps; as an exception, which
    is Python's own way, it would come anywhere: in a destructor it is lost, in a generator it is a traceback."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._came = False
        self._task: asyncio.Task[Any] | None = None
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # A shell's background job: Ctrl-C is not for it.
            return
        with contextlib.suppress(ValueError, RuntimeError, NotImplementedError):  # Not in the main thread.
            loop.add_signal_handler(signal.SIGINT, self._come)

    def _come(self) -> None:
        self._came = True
        if self._task is not None:
            self._task.cancel()

    async def ends(self, work: Coroutine[Any, Any, T]) -> T:
        """What `work` returns. _Interrupted, also if it came while nothing ran."""
        task: asyncio.Task[T] = asyncio.ensure_future(work)
        self._task = task
        if self._came:
            task.cancel()
        try:
            return await task
        except asyncio.CancelledError:
            if self._came:
                raise _Interrupted from None
            raise
        finally:
            self._task = None


async def _first(items: AsyncIterator[object]) -> AsyncIterator[object]:
    """The next item, if there is one."""
    with contextlib.suppress(StopAsyncIteration):
        yield await anext(items)


@contextlib.asynccontextmanager
async def context(directory: Path, call: Call, options: Options) -> AsyncIterator[AdminContext]:
    """What `call` needs, opened under the lock and closed again. CallError."""
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(as_owner(directory))
        stack.enter_context(lock(directory))
        installation = Installation(directory)
        pool = ThreadPool(_THREADS)
        stack.callback(pool.close)
        config = FileConfig(installation.config_file, MailServer, history=installation.history)
        config.retain(lambda: config.section(HistorySettings).retention)
        history = History(installation.history, lambda: config.section(HistorySettings).retention)
        people = IndexDirectory(installation.users_index)
        stack.callback(people.close)
        editor = DirectoryFile(
            installation.users_file,
            installation.users_index,
            records=RECORDS,
            history=history,
            changed=people.refresh,
        )
        stack.callback(editor.close)
        broken = _load(config, editor, call)
        store = installation.directory / "store" if broken else installation.store
        presence = store_mark.presence(installation.directory, store)
        journal = Journal(store / "logs", presence=presence)
        stack.callback(journal.close)
        log = FileLog(journal, lambda: config.section(LogSettings))

        async def stored_password(password: Secret) -> StoredPassword:
            return await pool.run(make_password, password)

        ctx = AdminContext(
            config=config,
            editor=editor,
            directory=people,
            clock=SystemClock(),
            log=log,
            make_password=stored_password,
            files=FormerVersions(config, editor, unread=_files(installation) if broken else None),
            tokens=TokenFile(installation.tokens_file, installation.users_file, pool),
            keys=DkimKeyFiles(installation.keys, installation.users_file, pool, SystemClock()),
            password_links=PasswordLinkFile(
                installation.password_links_file, installation.users_file, pool, SystemClock()
            ),
            rename_domain=partial(rename_domain, installation, editor),
            mover=None if broken else Mover(installation, config, pool, SystemClock()),
            caller=Caller(_user(), origin="without a server"),
            dry_run=options.dry_run,
            confirmed=options.confirmed,
        )
        if not broken:
            note_edits(ctx, config.edited_before(), editor.taken())
            health = _health(ctx, installation, pool)
            stack.push_async_callback(health.close)
            ctx = replace(
                ctx, health=health, logs=LogReader(installation.logs, pool, lambda: config.section(LogSettings))
            )
        intents = IntentFiles(installation.unfinished, installation.users_file, pool, log)
        unfinished = intents.any and not broken
        if Needs.STORE in call.needs or Needs.STORE_IF_ANY in call.needs or unfinished:
            ctx = replace(_with_store(ctx, installation, pool, log, stack), intents=intents)
            ctx = await _with_state(ctx, installation, log, stack)
        if unfinished:
            await recover(ctx)
        yield ctx


def _health(ctx: AdminContext, installation: Installation, pool: ThreadPool) -> Board:
    """With the ports that there are without a server."""
    machine = HostMachine(
        ctx.config,
        installation.store,
        installation.queue,
        installation.tls,
        store_mark.presence(installation.directory, installation.store),
    )
    ports = HealthContext(
        config=ctx.config,
        editor=ctx.editor,
        directory=ctx.directory,
        clock=ctx.clock,
        machine=machine,
        pool=pool,
        files=ctx.files,
    )
    return Board(CHECKS, ports, ctx.log)


def _load(config: FileConfig, editor: DirectoryFile, call: Call) -> bool:
    """Reads both files. True if they cannot be read and `call` can do without. CallError."""
    try:
        config.load()
        editor.open()
    except ConfigError as error:
        if call.repairs:
            return True
        raise CallError(
            Failure.REFUSED,
            f"The configuration cannot be read:\n{error}\nMend the file, or bring back a former version by "
            "`whimbrel config undo`",
        ) from None
    return False


def _user() -> str:
    """Who runs the command, as the config log names him."""
    try:
        return f"local user {getpass.getuser()}"
    except (OSError, KeyError):  # No name for this number.
        return f"local user {os.geteuid()}"


def _files(installation: Installation) -> dict[str, ConfigFile]:
    return {
        path.name: ConfigFile(path, history=installation.history)
        for path in (installation.config_file, installation.users_file)
    }


async def _with_state(
    ctx: AdminContext, installation: Installation, log: FileLog, stack: contextlib.AsyncExitStack
) -> AdminContext:
    from whimbrel.backends.state.state import SqliteState

    state = SqliteState(installation.store / "state.db", ctx.clock, log)
    await state.open()
    stack.push_async_callback(state.close)
    return replace(ctx, state=state)


def _with_store(
    ctx: AdminContext, installation: Installation, pool: ThreadPool, log: FileLog, stack: contextlib.AsyncExitStack
) -> AdminContext:
    """With the mail store and the queue. A generation is begun as a server does: after a crash they are put right."""
    from whimbrel.app.keeper import DiskKeeper
    from whimbrel.backends.disk.barrier import Barrier
    from whimbrel.backends.disk.committer import Committer
    from whimbrel.backends.notices.local import LocalNotices
    from whimbrel.backends.queue.store import QueueStore
    from whimbrel.backends.store.disk import generation
    from whimbrel.backends.store.disk.mailboxes import DiskMailboxes
    from whimbrel.backends.store.disk.store import DiskStore
    from whimbrel.backends.store.disk.undelete import DiskUndelete

    try:
        store_mark.check(installation.directory, installation.store)
        if (held := store_lock.lock(installation.directory, installation.store)) is not None:
            stack.callback(os.close, held)
        number = generation.begin(installation.store)
    except store_mark.StoreMissing as error:
        raise CallError(Failure.REFUSED, str(error)) from None
    except store_lock.StoreInUse as error:
        raise CallError(Failure.UNAVAILABLE, str(error)) from None
    except OSError as error:
        raise CallError(Failure.REFUSED, store_mark.why(installation.store, error)) from None
    stack.callback(generation.end, installation.store, number)
    notices = LocalNotices()
    barrier = Barrier(installation.store)
    stack.callback(barrier.close)
    committer = Committer(barrier, log)
    queue = QueueStore(installation.queue, installation.store / "spool", committer, pool, notices, log)
    stack.callback(queue.close)
    store = DiskStore(
        installation.store, committer=committer, pool=pool, notices=notices, log=log, generation=number, queue=queue
    )
    stack.callback(store.close)
    stack.callback(committer.close)
    return replace(
        ctx,
        queue=queue,
        folders=store,
        messages=store,
        store=DiskKeeper(store, pool),
        undelete=DiskUndelete(store, pool),
        mailboxes=DiskMailboxes(store, pool),
    )


@contextlib.contextmanager
def as_owner(directory: Path) -> Iterator[None]:
    """Root works as the user that the server runs as, so that every file stays the server's. Where that user cannot
    read this program, root works on and hands over at the end what it made."""
    user = None
    with contextlib.suppress(ownership.Refused):  # Nobody yet: the first start hands everything over.
        user = ownership.owner(directory)
    if user is None:
        yield
        return
    ownership.hand_over(directory, user)
    if ownership.become(user):
        yield
        return
    try:
        yield
    finally:
        ownership.hand_over(directory, user)


@contextlib.contextmanager
def lock(directory: Path) -> Iterator[None]:
    """DIR/lock, as a server holds it. CallError if somebody else does."""
    try:
        descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CallError(Failure.REFUSED, f"{directory / 'lock'}: {error.strerror}") from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CallError(
                Failure.UNAVAILABLE,
                f"{directory}: a server that does not answer yet, or another command, is at work; try again",
            ) from None
        yield
    finally:
        os.close(descriptor)
