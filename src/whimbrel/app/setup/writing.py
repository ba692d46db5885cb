"""Writing a new installation: checked as a whole, then everything or nothing (`commit.py`)."""

import asyncio
import contextlib
import os
import pwd
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from whimbrel.app import interpreter, ownership, services, store_mark
from whimbrel.app.settings import MailServer
from whimbrel.app.setup import commit, places
from whimbrel.app.setup.machine import RealMachine
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.tls.authority import write_file
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.credentials.schemes import password_or_verifier
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.values import Secret
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.session.passwords import make_password
from whimbrel.services.setup.answers import Answers, answer_name, people_changes, setting_values
from whimbrel.services.setup.answers_file import read_file
from whimbrel.services.setup.table import steps

SERVICES: Final = {service.name: service.settings() for service in services.SERVICES}
STEPS: Final = steps(SERVICES)
CHAIN, KEY = "tls/imported.pem", "tls/imported-key.pem"
"""Where a certificate that was given is kept, below the installation."""
Progress = Callable[[str], None]
"""Hears what is being done."""


def read_answers(text: str, file: str, folder: Path | None = None, *, directory: Path | None = None) -> Answers:
    """The answers of a TOML file; files it names are sought in `folder`. ConfigError tells every fault: with
    `directory`, where they are to be set up, also what `survey` says of those that can be read."""
    reading = read_file(text, file, folder, STEPS, RealMachine(directory or Path()))
    if directory is not None:
        reading.add(survey(directory, reading.legible()))
    return reading.answers()


def refuse_if_set_up(directory: Path) -> None:
    """ConfigError if there is an installation already."""
    for name in ("mailserver.cfg", "users.cfg"):
        if (directory / name).exists():
            raise ConfigError(
                Fault("", 0, "", f"{directory / name} exists: this server is set up already. Change it by the commands "
                      "config, domain and user; or name another directory by --dir")
            )  # fmt: skip


def set_up(directory: Path, answers: Answers, progress: Progress = lambda _: None) -> Sequence[str]:
    """Makes the installation. ConfigError tells every fault, OSError why it could not be written; nothing was written
    then. What is returned is what went wrong once it was there, in sentences: the first start sees to it, or says it.
    """
    commit.recover(directory)
    refuse_if_set_up(directory)
    progress("Checking everything once more")
    if faults := survey(directory, answers):
        raise ConfigError(*faults)
    with commit.Staging(directory) as staging:
        refuse_if_set_up(directory)  # Somebody else may have been quicker.
        if answers.certificate is not None:
            progress("Keeping the certificate")
            answers = _keep_pair(staging, answers)
        progress("Writing the configuration and the users")
        asyncio.run(_write(staging.folder, answers))
        progress("Making the store")
        store = _make_store(staging, _store_name(answers))
        staging.commit(("users.cfg", "mailserver.cfg"))
    progress("Finishing")
    warnings = []
    try:
        store_mark.check(directory, store)
        _hand_over(directory)
    except (OSError, store_mark.StoreMissing) as error:
        warnings.append(f"The server is set up, but not all is as its first start needs it: {error}")
    return warnings


def _keep_pair(staging: commit.Staging, answers: Answers) -> Answers:
    assert answers.certificate is not None
    files = {CHAIN: answers.certificate.certificate, KEY: answers.certificate.key}
    for name in files:
        if (staging.directory / name).exists():
            raise ConfigError(Fault("", 0, "certificate.chain", f"{staging.directory / name} is there already"))
    staging.make_folder(staging.directory / "tls")
    for name, content in files.items():
        staging.write(staging.directory / name, content)
    return _with_pair(answers, staging.directory)


def _with_pair(answers: Answers, folder: Path) -> Answers:
    paths = {"tls/certificate": str(folder / CHAIN), "tls/private-key": str(folder / KEY)}
    return replace(answers, settings={**answers.settings, **paths})


async def _write(folder: Path, answers: Answers) -> None:
    faults: list[Fault] = []
    config = FileConfig(folder / "mailserver.cfg", MailServer, history=folder / "history", new=True)
    try:
        await config.change(setting_values(answers))
    except ConfigError as error:
        faults += [Fault("", 0, answer_name(fault.path, answers.asked), fault.text) for fault in error.faults]
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
    if answers.certificate is None:
        return _survey(directory, answers, answers)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.joinpath("tls").mkdir()
        write_file(folder / CHAIN, answers.certificate.certificate, 0o600)
        write_file(folder / KEY, answers.certificate.key, 0o600)
        faults = _survey(directory, _with_pair(answers, folder), answers)
    names = {
        answer_name("tls/certificate", {}): "certificate.chain",
        answer_name("tls/private-key", {}): "certificate.key",
    }
    wrong = [fault for fault in faults if fault.path in names][
        :1
    ]  # What follows from the first is said of half a pair.
    # What it says of commands is not for who has no settings yet.
    first = [replace(fault, path=names[fault.path], text=fault.text.partition("; set ")[0]) for fault in wrong]
    return first + [fault for fault in faults if fault.path not in names]


def _survey(directory: Path, answers: Answers, asked: Answers) -> list[Fault]:
    """`asked`: without what was put beside for this look."""
    values = setting_values(answers)
    config = FileConfig(directory / "mailserver.cfg", MailServer, new=True)
    faults: list[Fault] = []
    while True:  # What is together wrong is told of the values that are each well formed.
        try:
            config.check(values)
        except ConfigError as error:
            faults += [Fault("", 0, answer_name(fault.path, answers.asked), fault.text) for fault in error.faults]
            wrong = {path for path in values for fault in error.faults if fault.path.startswith(path)}
            if wrong:
                values = {path: value for path, value in values.items() if path not in wrong}
                continue
        break
    faults += [Fault("", 0, answer_name(path, asked.asked), text) for path, text in _closed_files(asked)]
    run_as = answer_name("server/run-as", asked.asked)
    faults += [Fault("", 0, run_as, text) for text in _shut_out(directory, asked)]
    store = directory / _store_name(answers)
    if text := places.refusal(directory, _store_name(answers)) or _closed_above(asked, directory, store):
        faults.append(Fault("", 0, "store", text))
    return list(dict.fromkeys(faults + people_changes(answers)[1]))


def _shut_out(directory: Path, answers: Answers) -> Iterator[str]:
    """Why the user that the server is to run as could not run it: what `serve` would end with."""
    name = answers.settings.get("server/run-as", "")
    if os.geteuid() != 0 or not isinstance(name, str) or name in ("", "root"):
        return
    with contextlib.suppress(KeyError):
        user = pwd.getpwnam(name)
        if text := ownership.closed(user, directory):
            yield text
        programs = (interpreter.program(), ownership.__file__)
        for path, open_to in zip(programs, ownership.readable(user, programs), strict=True):
            if not open_to:
                yield f"{name} (server/run-as) may not read {path}, which is needed to run: install Whimbrel elsewhere"


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


def _closed_above(answers: Answers, directory: Path, store: Path) -> str:
    """In words, which directory above the store the user that the server is to run as cannot pass through."""
    name = answers.settings.get("server/run-as", "")
    if os.geteuid() != 0 or not isinstance(name, str) or name in ("", "root") or store.is_relative_to(directory):
        return ""
    with contextlib.suppress(KeyError):
        above = [str(each) for each in reversed(store.parents) if each.is_dir()]
        for path, passable in zip(above, ownership.readable(pwd.getpwnam(name), above, os.X_OK), strict=True):
            if not passable:
                return f"{name} (server/run-as) may not pass through {path} to {store}: open it (chmod a+x {path})"
    return ""


def _store_name(answers: Answers) -> str:
    return str(answers.settings.get("store/directory", answers.store))


def _with_verifier(change: DirectoryChange, password: Secret) -> DirectoryChange:
    if not password.reveal():
        return change
    stored = password_or_verifier(password)
    if isinstance(stored, Secret):
        stored = make_password(stored)
    return DirectoryChange(change.op, change.kind, change.domain, change.name, {**change.values, **stored.values()})


def _hand_over(directory: Path) -> None:
    """To the user that the server is to run as; where there is none yet, the first start does it."""
    with contextlib.suppress(ownership.Refused):
        user = ownership.owner(directory)
        if user is not None:
            ownership.hand_over(directory, user)


def _make_store(staging: commit.Staging, name: str) -> Path:
    store = staging.directory / name
    try:
        staging.make_folder(store)
        with contextlib.ExitStack() as stack:
            probe = store / f".setup-{os.getpid()}"
            stack.callback(probe.unlink, missing_ok=True)
            probe.write_bytes(b"")
    except OSError as error:
        raise ConfigError(Fault("", 0, "store", f"{store}: {error.strerror}")) from None
    return store
