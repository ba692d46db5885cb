"""The port KeyRing: `DIR/keys/dkim/<domain>.json`, all keys of a domain in one file that nobody else can read.

A change writes the file anew and renames it, durable before anybody is told: power that goes at that moment leaves the
keys of before or after. Whoever signs looks at most every two seconds whether the file is another one.
"""

import asyncio
import json
import os
import tempfile
import time
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from whimbrel.backends.config.files import own_like, sync, sync_folder
from whimbrel.core.address import Domain
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.errors import MailError
from whimbrel.core.pool import Pool
from whimbrel.core.signing import MAX_GENERATIONS, Generation, KeyRing, KeyState, PublicHalf
from whimbrel.mail.auth.dkim.signing import SigningKey

_VERSION: Final = "1.0"
_MAX_BYTES: Final = 1 << 20
_RECHECK: Final = 2.0
_BITS: Final = 2048
"""RFC 8301 3.2; longer ones do not fit into one UDP answer."""
_KINDS: Final = (("rsa", "r"), ("ed25519", "e"))
_Mark = tuple[int, int, int] | None


class DkimKeyFiles:
    """For one process. `signing` is for the event loop alone."""

    def __init__(self, folder: Path, owner: Path, pool: Pool, clock: Clock) -> None:
        """Files belong to whom `owner` belongs: made by root, they are read by the server."""
        self._folder, self._owner, self._pool, self._clock = folder, owner, pool, clock
        self._lock = asyncio.Lock()
        self._known: dict[str, tuple[float, _Mark, tuple[SigningKey, ...]]] = {}

    async def signing(self, domain: str) -> Sequence[SigningKey]:
        now = self._clock.monotonic()
        known = self._known.get(domain)
        if known is not None and now < known[0]:
            return known[2]
        mark = self._mark(domain)
        if known is None or mark != known[1]:
            try:
                keys = await self._pool.run(self._signing, domain) if mark is not None else ()
            except ConfigError as error:
                raise MailError(451, "4.3.0", "The keys to sign with cannot be read", detail=str(error)) from None
        else:
            keys = known[2]
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[domain] = (now + _RECHECK, mark, keys)
        return keys

    async def domains(self) -> Sequence[str]:
        return await self._pool.run(self._domains)

    async def generations(self, domain: str) -> Sequence[Generation]:
        return [_shown(record) for record in reversed(await self._pool.run(self._read, domain))]

    async def make(self, domain: str, state: KeyState) -> Generation:
        async with self._lock:
            return await self._pool.run(self._make, domain, state)

    async def move(self, domain: str, name: str, state: KeyState) -> None:
        async with self._lock:
            await self._pool.run(self._move, domain, name, state)

    async def remove(self, domain: str, name: str) -> None:
        async with self._lock:
            await self._pool.run(self._remove, domain, name)

    # Inside, in a thread

    def _path(self, domain: str) -> Path:
        return self._folder / f"{Domain(domain)}.json"  # A Domain holds no separator of paths.

    def _mark(self, domain: str) -> _Mark:
        try:
            status = os.stat(self._path(domain))
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        return status.st_ino, status.st_mtime_ns, status.st_size

    def _domains(self) -> list[str]:
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return []
        return sorted(name.removesuffix(".json") for name in names if name.endswith(".json") and name[0] != ".")

    def _signing(self, domain: str) -> tuple[SigningKey, ...]:
        for record in self._read(domain):
            if record["state"] == "signing":
                keys = [_private(record[kind]) for kind, _ in _KINDS]
                return tuple(
                    SigningKey(domain, record["name"] + letter, key)
                    for (_, letter), key in zip(_KINDS, keys, strict=True)
                )
        return ()

    def _make(self, domain: str, state: KeyState) -> Generation:
        records = self._read(domain)
        if len(records) >= MAX_GENERATIONS:
            raise ConfigError(Fault("", 0, "name", f"{domain} has {MAX_GENERATIONS} generations of keys: remove some"))
        now = self._clock.now()
        day = time.strftime("w%Y%m%d", time.gmtime(now))
        taken = {record["name"] for record in records}
        name = next(name for name in (day, *(f"{day}{letter}" for letter in "abcdefgh")) if name not in taken)
        record: dict[str, Any] = {"name": name, "state": state, "created": now, "since": now}
        record["rsa"] = _pem(generate_private_key(65537, _BITS))
        record["ed25519"] = _pem(Ed25519PrivateKey.generate())
        self._write(domain, [*_retired(records, state, now), record])
        return _shown(record)

    def _move(self, domain: str, name: str, state: KeyState) -> None:
        records, now = self._read(domain), self._clock.now()
        record = _named(records, domain, name)
        if record["state"] == state:
            return
        _retired(records, state, now)
        record.update(state=state, since=now)
        self._write(domain, records)

    def _remove(self, domain: str, name: str) -> None:
        records = self._read(domain)
        records.remove(_named(records, domain, name))
        if records:
            self._write(domain, records)
        else:
            self._path(domain).unlink(missing_ok=True)
            sync_folder(self._folder)

    def _read(self, domain: str) -> list[dict[str, Any]]:
        """The oldest first. ConfigError"""
        path = self._path(domain)
        try:
            with open(path, "rb") as file:
                content = json.loads(file.read(_MAX_BYTES))
            if str(content["version"]).partition(".")[0] != "1":
                raise ValueError(f"it was written by a newer release (format {content['version']})")
            records: list[dict[str, Any]] = content["generations"]
            for record in records:
                _ = (
                    record["name"],
                    record["state"],
                    record["created"],
                    record["since"],
                    record["rsa"],
                    record["ed25519"],
                )
            return records
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            text = f"it cannot be read ({error}): put it back from a backup, or delete it and make new keys"
            raise ConfigError(Fault(str(path), 0, "", text)) from None

    def _write(self, domain: str, records: Sequence[dict[str, Any]]) -> None:
        self._folders()
        path = self._path(domain)
        descriptor, temporary = tempfile.mkstemp(dir=self._folder, prefix=".new-")  # 0600.
        try:
            with open(descriptor, "wb") as file:
                own_like(descriptor, self._owner)
                file.write(json.dumps({"version": _VERSION, "generations": list(records)}, indent=1).encode())
                file.flush()
                sync(descriptor)
            os.replace(temporary, path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
        sync_folder(self._folder)

    def _folders(self) -> None:
        for folder in (self._folder.parent, self._folder):
            try:
                os.mkdir(folder, 0o700)
            except FileExistsError:
                continue
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                own_like(descriptor, self._owner)
            finally:
                os.close(descriptor)
            sync_folder(folder.parent)


def _retired(records: list[dict[str, Any]], state: KeyState, now: float) -> list[dict[str, Any]]:
    """Only one generation signs."""
    if state == "signing":
        for record in records:
            if record["state"] == "signing":
                record.update(state="retired", since=now)
    return records


def _named(records: Sequence[dict[str, Any]], domain: str, name: str) -> dict[str, Any]:
    for record in records:
        if record["name"] == name:
            return record
    raise ConfigError(Fault("", 0, "name", f"{domain} has no keys '{name}'"))


def _shown(record: dict[str, Any]) -> Generation:
    halves = tuple(_half(record["name"] + letter, _private(record[kind])) for kind, letter in _KINDS)
    return Generation(record["name"], record["state"], float(record["created"]), float(record["since"]), halves)


def _half(selector: str, key: RSAPrivateKey | Ed25519PrivateKey) -> PublicHalf:
    """RFC 6376 3.6.1, RFC 8463 4.2"""
    if isinstance(key, RSAPrivateKey):
        octets = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return PublicHalf(selector, "rsa-sha256", f"v=DKIM1; k=rsa; p={b64encode(octets).decode()}")
    octets = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicHalf(selector, "ed25519-sha256", f"v=DKIM1; k=ed25519; p={b64encode(octets).decode()}")


def _pem(key: RSAPrivateKey | Ed25519PrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def _private(text: str) -> RSAPrivateKey | Ed25519PrivateKey:
    """ConfigError"""
    try:
        key = load_pem_private_key(text.encode(), None)
    except (ValueError, TypeError):
        raise ConfigError(Fault("", 0, "", "a private key of it is damaged")) from None
    if not isinstance(key, RSAPrivateKey | Ed25519PrivateKey):
        raise ConfigError(Fault("", 0, "", "a private key of it is of another kind"))
    return key


_port: type[KeyRing] = DkimKeyFiles
