"""The port Tasks over processes: each that delivers listens on `DIR/run/tasks/<name>.sock`, and whoever asks goes
round them all.

A request is one line, `list` or `abort ID`; the answer is JSON to the end of the connection. The folder is 0700, so
only our own user and root get in. A process that does not answer in time is passed over: what it does is not known.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.backends.disk.sockets import short_name
from whimbrel.core.tasks import DeliveryTask, Tasks

MAX_REQUEST: Final = 128
MAX_ANSWER: Final = 16 << 20
MAX_CLIENTS: Final = 32
PATIENCE: Final = 2.0
"""Seconds for one question and its answer."""
_FIELDS: Final = {field.name: field.type for field in fields(DeliveryTask)}


@contextlib.asynccontextmanager
async def serving(tasks: Tasks, folder: Path, name: str) -> AsyncIterator[None]:
    """Others can ask for `tasks` while the block runs. OSError if the socket cannot be made."""
    path = folder / f"{name}.sock"
    listening = _listen(path)
    asking = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asking
        asking += 1
        try:
            if asking <= MAX_CLIENTS:
                async with asyncio.timeout(PATIENCE):
                    writer.write(await _answer(tasks, await reader.readline()))
                    await writer.drain()
        except (OSError, ValueError, TimeoutError):
            pass  # Whoever asked has gone, or asks what nobody asks.
        finally:
            asking -= 1
            writer.close()

    server = await asyncio.start_unix_server(answer, sock=listening, limit=MAX_REQUEST)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            os.unlink(path)
        server.close()


def _listen(path: Path) -> socket.socket:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)  # Left by a process of this name that was killed.
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with short_name(path) as short:
            listening.bind(short)
        listening.listen(MAX_CLIENTS)
        listening.setblocking(False)
    except OSError:
        listening.close()
        raise
    return listening


async def _answer(tasks: Tasks, line: bytes) -> bytes:
    verb, _, name = line.decode("ascii", "replace").strip().partition(" ")
    if verb == "list":
        return json.dumps([asdict(task) for task in await tasks.list()]).encode()
    if verb == "abort":
        return json.dumps(await tasks.abort(name)).encode()
    return b""


class AllTasks:
    """The port Tasks: of all processes that serve theirs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def list(self) -> Sequence[DeliveryTask]:
        answers = await self._ask_all("list")
        tasks = [task for answer in answers if isinstance(answer, list) for task in map(_task, answer) if task]
        return sorted(tasks, key=lambda task: (task.since, task.id))

    async def abort(self, task: str) -> bool:
        if not task.isalnum() or len(task) > MAX_REQUEST // 2 or not task.isascii():
            return False
        return any(answer is True for answer in await self._ask_all(f"abort {task}"))

    async def _ask_all(self, request: str) -> Sequence[object]:
        paths = sorted(self._folder.glob("*.sock"))
        return await asyncio.gather(*(_ask(path, request) for path in paths))


async def _ask(path: Path, request: str) -> object:
    """None if it does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            with short_name(path) as short:
                reader, writer = await asyncio.open_unix_connection(short)
            try:
                writer.write(f"{request}\n".encode())
                pieces, size = [], 0
                while piece := await reader.read(1 << 16):
                    size += len(piece)
                    if size > MAX_ANSWER:
                        return None
                    pieces.append(piece)
            finally:
                writer.close()
        answer: object = json.loads(b"".join(pieces))
        return answer
    except (OSError, ValueError, TimeoutError):
        return None


def _task(values: object) -> DeliveryTask | None:
    """None if it is of another release."""
    if not isinstance(values, dict) or not _FIELDS.keys() <= values.keys():
        return None
    text = {name: str(values[name]) for name in _FIELDS if name not in ("recipients", "size", "sent", "since")}
    return DeliveryTask(
        **text,
        recipients=int(values["recipients"]),
        size=int(values["size"]),
        sent=int(values["sent"]),
        since=float(values["since"]),
    )


if TYPE_CHECKING:
    _port: Tasks = AllTasks(Path())
