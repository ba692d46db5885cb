"""Setting up a new installation: answers from a file or a person, checked as a whole, written in one go.

    hostname = "mail.example.org"         [administrator]            [services.smtp]
    domain = "example.org"                name = "admin"             listen = ["127.0.0.1:2525"]
    store = "store"                       password = "..."           enabled = true
    users = "users.csv"                   [settings]
                                          "smtp/max-message-size" = "80M"

`users` names a CSV (address, password, name, rights, quota) beside the answers; `store` and `users` may be left out.
Nothing is written before everything is right; mailserver.cfg, whose presence means that a server is set up, comes last.
"""

import asyncio
import contextlib
import os
import pwd
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from whimbrel.app import ownership, store_mark
from whimbrel.app.services import SERVICES
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.files import sync_folder
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.core.address import Domain
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import DirectoryChange, Kind, Op, Rights
from whimbrel.core.people import full_address, user_name
from whimbrel.core.values import HostPort, Secret
from whimbrel.services.admin.calls import CallError, nearest
from whimbrel.services.admin.configuration import setting_text
from whimbrel.services.admin.records import RECORDS
from whimbrel.services.admin.table_text import decoded
from whimbrel.services.admin.user_lines import UserLine, read_users
from whimbrel.services.session.passwords import make_password

T = TypeVar("T")

NAMES: Final = tuple(service.name for service in SERVICES)
LATER: Final = frozenset({"ldap", "ldaps", "managesieve", "http", "https"})
"""Names that are kept for services which this release does not have."""
_KEYS: Final = ("hostname", "domain", "store", "users", "administrator", "services", "settings")
_MAX_ANSWERS: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class ServiceAnswer:
    """What was said of one service; None: as it is by default."""

    listen: tuple[HostPort, ...] | None = None
    enabled: bool | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """All that a new installation needs to know."""

    hostname: Domain
    domain: Domain
    administrator: str
    """Login name in `domain`."""
    password: Secret
    store: str = "store"
    services: Mapping[str, ServiceAnswer] = field(default_factory=dict)
    settings: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    users: tuple[UserLine, ...] = ()


class _Reading:
    """Takes a table apart and remembers every fault."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []

    def fault(self, path: str, text: str) -> None:
        self.faults.append(Fault(self.file, 0, path, text))

    def text(self, table: Mapping[str, Any], name: str, path: str, default: str | None = None) -> str | None:
        value = table.get(name, default)
        if value is None:
            self.fault(path, "is missing")
        elif not isinstance(value, str):
            self.fault(path, "text in quotes is meant")
        elif not value.strip():
            self.fault(path, "must not be empty")
        elif any(char < " " or char == "\x7f" for char in value):
            self.fault(path, "control characters are not allowed")
        else:
            return value
        return None

    def domain(self, table: Mapping[str, Any], name: str) -> Domain | None:
        value = self.text(table, name, name)
        if value is None:
            return None
        try:
            return Domain(value)
        except ValueError as error:
            self.fault(name, str(error))
            return None

    def table(self, table: Mapping[str, Any], name: str, path: str) -> Mapping[str, Any]:
        value = table.get(name, {})
        if isinstance(value, dict):
            return value
        self.fault(path, f"a table is meant: [{path}]")
        return {}

    def known(self, table: Mapping[str, Any], names: tuple[str, ...], path: str) -> None:
        for name in table:
            if name not in names:
                self.fault(f"{path}{name}", f"unknown{nearest(name, names)}")


def read_answers(text: str, file: str, folder: Path | None = None, *, directory: Path | None = None) -> Answers:
    """The answers of a TOML file; files it names are sought in `folder`. ConfigError tells every fault: with
    `directory`, where they are to be set up, also what `survey` says of those that can be read."""
    if len(text) > _MAX_ANSWERS:
        raise ConfigError(Fault(file, 0, "", f"larger than {_MAX_ANSWERS} characters"))
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(Fault(file, 0, "", f"not TOML: {error}")) from None
    reading = _Reading(file)
    reading.known(table, _KEYS, "")
    hostname, domain = reading.domain(table, "hostname"), reading.domain(table, "domain")
    store = reading.text(table, "store", "store", "store")
    administrator = reading.table(table, "administrator", "administrator")
    reading.known(administrator, ("name", "password"), "administrator.")
    name = reading.text(administrator, "name", "administrator.name")
    password = reading.text(administrator, "password", "administrator.password")
    name = _local_name(reading, name, domain)
    services = _services(reading, reading.table(table, "services", "services"))
    settings = _settings(reading, reading.table(table, "settings", "settings"))
    users = _users(reading, table, folder)
    if reading.faults:
        if directory is not None:
            legible = Answers(
                hostname or Domain("localhost"), domain or Domain("localhost"), name or "admin", Secret(""),
                store or "store", services, settings, users,
            )  # fmt: skip
            reading.faults += survey(directory, legible)
        raise ConfigError(*reading.faults)
    assert hostname and domain and name and password and store
    return Answers(hostname, domain, name, Secret(password), store, services, settings, users)


def _local_name(reading: _Reading, name: str | None, domain: Domain | None) -> str | None:
    if name is None:
        return None
    local, at, rest = name.strip().partition("@")
    if at and domain and rest.lower() != domain:
        reading.fault("administrator.name", f"must be in the domain {domain}, or a bare name")
        return None
    try:
        return user_name(local)
    except ValueError as error:
        reading.fault("administrator.name", str(error))
        return None


def _services(reading: _Reading, table: Mapping[str, Any]) -> dict[str, ServiceAnswer]:
    services = {}
    for name, answers in table.items():
        path = f"services.{name}"
        if name in LATER:
            reading.fault(path, "this release does not have that service yet")
        elif name not in NAMES:
            reading.fault(path, f"there is no such service{nearest(name, NAMES)}")
        elif not isinstance(answers, dict):
            reading.fault(path, f"a table is meant: [{path}]")
        else:
            reading.known(answers, ("listen", "enabled"), f"{path}.")
            enabled = answers.get("enabled")
            if enabled is not None and not isinstance(enabled, bool):
                reading.fault(f"{path}.enabled", "true or false is meant")
                enabled = None
            services[name] = ServiceAnswer(_listen(reading, answers.get("listen"), f"{path}.listen"), enabled)
    return services


def _listen(reading: _Reading, value: object, path: str) -> tuple[HostPort, ...] | None:
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        reading.fault(path, 'a list is meant: ["127.0.0.1:2525"]')
        return None
    addresses = []
    for item in value:
        try:
            addresses.append(HostPort(item))
        except ValueError as error:
            reading.fault(path, str(error))
    return tuple(addresses)


def _settings(reading: _Reading, table: Mapping[str, Any]) -> dict[str, str | tuple[str, ...]]:
    settings: dict[str, str | tuple[str, ...]] = {}
    for path, value in table.items():
        if isinstance(value, list):
            settings[path] = tuple(setting_text(item) for item in value)
        elif isinstance(value, dict):
            reading.fault(f"settings.{path}", 'write the path in quotes: "smtp/max-message-size" = "80M"')
        else:
            settings[path] = setting_text(value)
    return settings


def _users(reading: _Reading, table: Mapping[str, Any], folder: Path | None) -> tuple[UserLine, ...]:
    if "users" not in table:
        return ()
    name = reading.text(table, "users", "users")
    if name is None:
        return ()
    path = Path(name) if folder is None else folder / name
    try:
        return tuple(read_users(decoded(path.read_bytes())))
    except OSError as error:
        reading.fault("users", f"{path}: {error.strerror}")
    except UnicodeDecodeError:
        reading.fault("users", f"{path} is not UTF-8")
    except CallError as error:
        reading.faults += [Fault(str(path), 0, fault.name, fault.text) for fault in error.fields]
    return ()


def refuse_if_set_up(directory: Path) -> None:
    """ConfigError if there is an installation already."""
    for name in ("mailserver.cfg", "users.cfg"):
        if (directory / name).exists():
            raise ConfigError(
                Fault("", 0, "", f"{directory / name} exists: this server is set up already. Change it by the commands "
                      "config, domain and user; or name another directory by --dir")
            )  # fmt: skip


def set_up(directory: Path, answers: Answers) -> None:
    """Makes the installation. ConfigError tells every fault, and nothing was written then."""
    refuse_if_set_up(directory)
    if faults := survey(directory, answers):
        raise ConfigError(*faults)
    created = not directory.exists()
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    if created or not any(directory.iterdir()):
        directory.chmod(0o700)
    staging = directory / f".setup-{os.getpid()}"
    shutil.rmtree(staging, ignore_errors=True)
    staging.mkdir(mode=0o700)
    try:
        asyncio.run(_write(staging, answers))
        store = _make_store(directory, _store_name(answers))
        refuse_if_set_up(directory)
        for name in ("users.cfg", "mailserver.cfg"):
            os.chmod(staging / name, 0o600)
            os.rename(staging / name, directory / name)
        sync_folder(directory)
        sync_folder(store)
        store_mark.check(directory, store)
        _hand_over(directory)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        if created and not (directory / "mailserver.cfg").exists():
            with contextlib.suppress(OSError):
                directory.rmdir()


async def _write(folder: Path, answers: Answers) -> None:
    faults: list[Fault] = []
    config = FileConfig(folder / "mailserver.cfg", MailServer, history=folder / "history")
    try:
        await config.change(setting_values(answers))
    except ConfigError as error:
        faults += [Fault("", 0, _answer_name(fault.path), fault.text) for fault in error.faults]
    editor = DirectoryFile(folder / "users.cfg", folder / "users.idx", records=RECORDS, history=folder / "history")
    try:
        editor.open()
        await editor.change([DirectoryChange(Op.ADD, Kind.DOMAIN, str(answers.domain), values={"primary": "yes"})])
        people, wrong = people_changes(answers)
        faults += wrong
        # Verifiers last: each takes tens of milliseconds, and faults are reported before the first one is made.
        if not faults:
            await editor.change([_with_verifier(change, password) for change, password in people])
    except ConfigError as error:
        faults += error.faults
    finally:
        editor.close()
    if faults:
        raise ConfigError(*faults)


def survey(directory: Path, answers: Answers) -> list[Fault]:
    """All that would stop `set_up`, as far as it can be told without writing anything."""
    values = setting_values(answers)
    config = FileConfig(directory / "mailserver.cfg", MailServer)
    faults: list[Fault] = []
    while True:  # What is together wrong is told of the values that are each well formed.
        try:
            config.check(values)
        except ConfigError as error:
            faults += [Fault("", 0, _answer_name(fault.path), fault.text) for fault in error.faults]
            wrong = {path for path in values for fault in error.faults if fault.path.startswith(path)}
            if wrong:
                values = {path: value for path, value in values.items() if path not in wrong}
                continue
        break
    faults += [Fault("", 0, _answer_name(path), text) for path, text in _closed_files(answers)]
    if text := store_mark.claim(directory, directory / _store_name(answers)):
        faults.append(Fault("", 0, "store", text))
    return list(dict.fromkeys(faults + people_changes(answers)[1]))


def _closed_files(answers: Answers) -> Iterator[tuple[str, str]]:
    """Setting and words for each file that root can read, and the user that the server is to run as cannot."""
    name = answers.settings.get("server/run-as", "")
    if os.geteuid() != 0 or not isinstance(name, str) or name in ("", "root"):
        return
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam(name)
        files = {
            path: str(value)
            for path, value in answers.settings.items()
            if path.startswith("tls/") and path.endswith(("certificate", "private-key", "authorities"))
            and os.path.isfile(str(value))
        }  # fmt: skip
        for (path, file), open_to in zip(files.items(), ownership.readable(user, files.values()), strict=True):
            if not open_to:
                yield path, f"{name} (server/run-as) may not read {file}: change its owner or mode, or its folder's"


def _store_name(answers: Answers) -> str:
    return str(answers.settings.get("store/directory", answers.store))


def setting_values(answers: Answers) -> dict[str, object]:
    """The answers as paths of settings."""
    values: dict[str, object] = {"smtp/hostname": str(answers.hostname)}
    if answers.store != "store":
        values["store/directory"] = answers.store
    for name, service in answers.services.items():
        if service.listen is not None:
            values[f"services/{name}/listen"] = tuple(map(str, service.listen))
        if service.enabled is not None:
            values[f"services/{name}/enabled"] = service.enabled
    return values | dict(answers.settings)


def people_changes(answers: Answers) -> tuple[list[tuple[DirectoryChange, Secret]], list[Fault]]:
    """The administrator and the users of the table, each with the password; further domains come first."""
    faults = []
    domains, changes = {str(answers.domain)}, []
    admin = DirectoryChange(
        Op.ADD, Kind.USER, str(answers.domain), answers.administrator, {"rights": Rights.SERVER_WRITE.value}
    )
    changes.append((admin, answers.password))
    for line in answers.users:
        try:
            address = full_address(line.address, str(answers.domain))
        except ValueError as error:
            faults.append(Fault("users", 0, f"line {line.number}", str(error)))
            continue
        if address.domain not in domains:
            domains.add(address.domain)
            changes.append((DirectoryChange(Op.ADD, Kind.DOMAIN, address.domain), Secret("")))
        values: dict[str, object] = dict(line.values)
        if line.full_name:
            values["full-name"] = line.full_name
        if line.rights:
            values["rights"] = line.rights.value
        if line.quota:
            values["quota"] = str(line.quota)
        changes.append((DirectoryChange(Op.ADD, Kind.USER, address.domain, address.local, values), line.password))
    return changes, faults


def _with_verifier(change: DirectoryChange, password: Secret) -> DirectoryChange:
    if not password.reveal():
        return change
    stored = password_or_verifier(password)
    if isinstance(stored, Secret):
        stored = make_password(stored)
    return DirectoryChange(change.op, change.kind, change.domain, change.name, {**change.values, **stored.values()})


def _answer_name(path: str) -> str:
    """A setting's path as the answers call it."""
    parts = path.split("/")
    if path == "smtp/hostname":
        return "hostname"
    if path == "store/directory":
        return "store"
    if parts[0] == "services" and parts[-1] in ("listen", "enabled") and len(parts) == 3:
        return ".".join(parts)
    return f'settings."{path}"' if path else ""


def _hand_over(directory: Path) -> None:
    """To the user that the server is to run as; where there is none yet, the first start does it."""
    with contextlib.suppress(ownership.Refused):
        user = ownership.owner(directory)
        if user is not None:
            ownership.hand_over(directory, user)


def _make_store(directory: Path, name: str) -> Path:
    store = directory / name
    try:
        store.mkdir(mode=0o700, parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            probe = store / f".setup-{os.getpid()}"
            stack.callback(probe.unlink, missing_ok=True)
            probe.write_bytes(b"")
    except OSError as error:
        raise ConfigError(Fault("", 0, "store", f"{store}: {error.strerror}")) from None
    return store
