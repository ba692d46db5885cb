"""The port TokenStore: `DIR/tokens.json`, written whole for each change and durable before anybody is told."""

import asyncio
import json
import os
from collections.abc import Collection, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from whimbrel.backends.config.files import own_like, sync, sync_folder
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.pool import Pool
from whimbrel.core.tokens import MAX_TOKENS, Token, TokenStore

_VERSION: Final = "1.0"
_MAX_BYTES: Final = 4 << 20
_Mark = tuple[int, int, int] | None
"""Which file it is: inode, time of its last change, size; None: there is none."""


class TokenFile:
    """For control, or for a command that holds DIR/lock."""

    def __init__(self, path: Path, owner: Path, pool: Pool) -> None:
        """The file belongs to whom `owner` belongs: written by root, it is read by the server."""
        self._path, self._owner, self._pool = path, owner, pool
        self._lock = asyncio.Lock()
        self._seen: _Mark | str = "never"
        self._tokens: dict[str, Token] = {}

    async def tokens(self) -> Sequence[Token]:
        async with self._lock:
            if self._seen != self._mark():
                await self._pool.run(self._read)
        return sorted(self._tokens.values(), key=lambda token: token.name)

    async def change(self, add: Sequence[Token] = (), remove: Collection[str] = ()) -> None:
        async with self._lock:
            await self._pool.run(self._change, add, remove)

    def _change(self, add: Sequence[Token], remove: Collection[str]) -> None:
        self._read()
        tokens = {name: token for name, token in self._tokens.items() if name not in remove}
        for token in add:
            if token.name in tokens:
                raise ConfigError(Fault("", 0, "name", f"there is a token '{token.name}' already"))
            tokens[token.name] = token
        if len(tokens) > MAX_TOKENS:
            raise ConfigError(Fault("", 0, "", f"there are {MAX_TOKENS} tokens already; revoke some"))
        self._write(tokens)
        self._tokens, self._seen = tokens, self._mark()

    def _mark(self) -> _Mark:
        try:
            status = os.stat(self._path)
        except FileNotFoundError:
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _read(self) -> None:
        """ConfigError."""
        mark = self._mark()
        try:
            with open(self._path, "rb") as file:
                content = json.loads(file.read(_MAX_BYTES))
            if str(content["version"]).partition(".")[0] != "1":
                raise ValueError(f"it was written by a newer release (format {content['version']})")
            tokens = [_token(values) for values in content["tokens"]]
        except FileNotFoundError:
            tokens = []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConfigError(
                Fault(
                    str(self._path),
                    0,
                    "",
                    f"it cannot be read ({error}): mend it, or delete it and make the tokens anew",
                )
            ) from None
        self._tokens, self._seen = {token.name: token for token in tokens}, mark

    def _write(self, tokens: dict[str, Token]) -> None:
        content = {"version": _VERSION, "tokens": [asdict(token) for token in tokens.values()]}
        temporary = self._path.with_suffix(".new")
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            own_like(file.fileno(), self._owner)
            file.write(json.dumps(content, ensure_ascii=False, indent=1).encode())
            file.flush()
            sync(file.fileno())
        os.replace(temporary, self._path)
        sync_folder(self._path.parent)


def _token(values: Any) -> Token:
    return Token(
        str(values["name"]), str(values["digest"]), str(values["maker"]), tuple(map(str, values["grants"])),
        float(values["created"]), float(values["expires"]),
    )  # fmt: skip


_port: type[TokenStore] = TokenFile
