"""What the processes of a server tell each other when asked: each listens on `DIR/run/live/<name>.sock`, and whoever
asks goes round them all. Nothing is told unasked, so what nobody looks at costs nothing.

A request is one line, a JSON object with the subject and what is asked of it; the answer is JSON to the end of the
connection. The folder is 0700, so only our own user and root get in. A process that does not answer in time is passed
over: what it does is not known.
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from whimbrel.backends.disk.sockets import short_name
from whimbrel.core.live import Answer

MAX_REQUEST: Final = 64 * 1024
MAX_ANSWER: Final = 16 << 20
MAX_CLIENTS: Final = 32
PATIENCE: Final = 2.0
"""Seconds for one question and its answer."""


class Answers:
    """What one process answers, by subject."""

    def __init__(self) -> None:
        self._answers: dict[str, Answer] = {}

    def tell(self, subject: str, answer: Answer) -> None:
        """From now on questions about `subject` are answered so."""
        self._answers[subject] = answer

    async def to(self, line: bytes) -> bytes:
        """The answer to one line; empty if it asks what nobody asks."""
        asked = json.loads(line)
        answer = self._answers.get(asked.pop("subject")) if isinstance(asked, dict) else None
        if answer is None:
            return b""
        made = await answer(asked)
        return made if isinstance(made, bytes) else json.dumps(made).encode()


@contextlib.asynccontextmanager
async def serving(answers: Answers, folder: Path, name: str) -> AsyncIterator[None]:
    """Others can ask while the block runs. OSError if the socket cannot be made."""
    path = folder / f"{name}.sock"
    listening = _listen(path)
    asking = 0

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asking
        asking += 1
        try:
            if asking <= MAX_CLIENTS:
                async with asyncio.timeout(PATIENCE):
                    writer.write(await answers.to(await reader.readline()))
                    await writer.drain()
        except (OSError, ValueError, TypeError, LookupError, RecursionError, TimeoutError):
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


async def ask_all(folder: Path, subject: str, **asked: object) -> Sequence[object]:
    """The answers of all processes; None of one that does not answer. ValueError: too much is asked."""
    request = json.dumps({"subject": subject, **asked}).encode() + b"\n"
    if len(request) > MAX_REQUEST:
        raise ValueError("too much at once")
    return await asyncio.gather(*(_ask(path, request) for path in _sockets(folder)))


def _sockets(folder: Path) -> Sequence[Path]:
    return sorted(folder.glob("*.sock"))


async def _ask(path: Path, request: bytes) -> object:
    """None if it does not answer."""
    try:
        async with asyncio.timeout(PATIENCE):
            with short_name(path) as short:
                reader, writer = await asyncio.open_unix_connection(short)
            try:
                writer.write(request)
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
    except (OSError, ValueError, TimeoutError, RecursionError):
        return None


if TYPE_CHECKING:
    from whimbrel.core import live

    _port: live.Answers = Answers()
