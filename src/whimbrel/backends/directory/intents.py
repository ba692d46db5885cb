"""The port Intents: `DIR/unfinished/`, one small file for each change that is under way."""

import contextlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from whimbrel.backends.config.files import own_like, sync, sync_folder
from whimbrel.core.intents import Intent, Intents
from whimbrel.core.log import Log
from whimbrel.core.pool import Pool

_VERSION: Final = "1.0"
_MAX_BYTES: Final = 4 << 20


class IntentFiles:
    """For the one process that changes users: it holds DIR/lock, or is control."""

    def __init__(self, folder: Path, owner: Path, pool: Pool, log: Log) -> None:
        """The files belong to whom `owner` belongs: written by root, they are read by the server."""
        self._folder, self._owner, self._pool, self._log = folder, owner, pool, log

    @property
    def any(self) -> bool:
        """One look at a directory."""
        with contextlib.suppress(OSError):
            return any(name.endswith(".json") for name in os.listdir(self._folder))
        return False

    async def begin(self, what: str, values: Mapping[str, str]) -> Intent:
        return await self._pool.run(self._begin, what, values)

    async def end(self, intent: Intent) -> None:
        await self._pool.run(self._end, intent)

    async def pending(self) -> Sequence[Intent]:
        return await self._pool.run(self._pending)

    def _begin(self, what: str, values: Mapping[str, str]) -> Intent:
        self._folder.mkdir(mode=0o700, exist_ok=True)
        numbers = [int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdigit()]
        intent = Intent(f"{max(numbers, default=0) + 1:08d}", what, dict(values))
        content = json.dumps({"version": _VERSION, "what": what, "values": dict(values)}, ensure_ascii=False)
        temporary = self._folder / f"{intent.id}.new"
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            own_like(file.fileno(), self._owner)
            file.write(content.encode("utf-8", "surrogatepass"))
            file.flush()
            sync(file.fileno())
        os.replace(temporary, self._folder / f"{intent.id}.json")
        sync_folder(self._folder)
        sync_folder(self._folder.parent)
        return intent

    def _end(self, intent: Intent) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self._folder / f"{intent.id}.json")
        sync_folder(self._folder)

    def _pending(self) -> list[Intent]:
        intents = []
        for path in sorted(self._folder.glob("*.json")):
            try:
                with open(path, "rb") as file:
                    content = json.loads(file.read(_MAX_BYTES))
                values = {str(name): str(value) for name, value in content["values"].items()}
                intents.append(Intent(path.stem, str(content["what"]), values))
            except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
                # Named whole and durable before it counts: this is a damaged disk or another hand.
                self._log.error("directory.intent-unreadable", path=str(path), error=str(error))
        return intents


_port: type[Intents] = IntentFiles
