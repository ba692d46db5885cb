"""Random clients of many accounts, each with a model of what its account must hold.

An account is used by one client at a time, beside which strangers deliver mail to it; so after each visit the
server's answers and the model must be equal, whatever the other accounts do meanwhile.
"""

import random
import re
import smtplib
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from tests.support.mail import imap, letter, pop3
from tests.support.server import Running

FLAGS = (r"\Seen", r"\Answered", r"\Flagged", r"\Draft", "$Label1", "Work")
_UID_FLAGS = re.compile(rb"UID (\d+) .*?FLAGS \(([^)]*)\)|FLAGS \(([^)]*)\).*?UID (\d+)")
MAX_MESSAGES = 400
"""In one account: beyond it a visit deletes."""


@dataclass
class Model:
    """What an account holds: folder -> UID -> flags."""

    user: str
    folders: dict[str, dict[int, set[str]]] = field(default_factory=lambda: {"INBOX": {}})
    serial: int = 0


class Differs(AssertionError):
    """The server tells something else than the model."""


class Visit:
    """One session of a client: some random commands, then a comparison of everything."""

    def __init__(self, server: Running, model: Model, chance: random.Random) -> None:
        self._server, self._model, self._chance = server, model, chance
        self.commands = 0

    def run(self, commands: int) -> None:
        if self._chance.random() < 0.5:
            self._deliver(self._chance.randint(1, 4))
        with imap(self._server, self._model.user, folder="") as client:
            self._client = client
            actions: list[Callable[[], None]] = [
                self._append, self._append, self._flags, self._flags, self._flags, self._copy, self._move,
                self._delete, self._new_folder, self._remove_folder, self._rename, self._search, self._read,
            ]  # fmt: skip
            for _ in range(commands):
                self._chance.choice(actions)()
                self.commands += 1
            self._compare()
        if self._chance.random() < 0.2:
            self._read_by_pop3()

    # What a client does

    def _folder(self) -> str:
        folder = self._chance.choice(sorted(self._model.folders))
        _ok(self._client.select(f'"{folder}"'))
        return folder

    def _some(self, folder: str) -> list[int]:
        uids = sorted(self._model.folders[folder])
        return sorted(self._chance.sample(uids, min(len(uids), self._chance.randint(1, 12))))

    def _deliver(self, count: int) -> None:
        with smtplib.SMTP("127.0.0.1", self._server.ports["smtp"], timeout=60) as smtp:
            for _ in range(count):
                smtp.sendmail("stranger@else.test", [self._model.user], self._letter())
        with imap(self._server, self._model.user) as client:
            known = self._model.folders["INBOX"]
            for uid, flags in _rows(client.uid("FETCH", "1:*", "(UID FLAGS)")):
                known.setdefault(uid, flags)

    def _letter(self) -> bytes:
        self._model.serial += 1
        body = "Some words of a letter.\r\n" * self._chance.randint(1, 400)
        return letter(f"soak-{self._model.serial}", to=self._model.user, body=body)

    def _append(self) -> None:
        folder = self._chance.choice(sorted(self._model.folders))
        flags = set(self._chance.sample(FLAGS, self._chance.randint(0, 3)))
        answer = _ok(self._client.append(f'"{folder}"', f"({' '.join(flags)})", None, self._letter()))
        found = re.search(rb"APPENDUID \d+ (\d+)", answer[0])
        if found is None:
            raise Differs("no APPENDUID")
        self._model.folders[folder][int(found[1])] = flags

    def _flags(self) -> None:
        folder = self._folder()
        uids = self._some(folder)
        if not uids:
            return
        flags = set(self._chance.sample(FLAGS, self._chance.randint(1, 3)))
        sign = self._chance.choice(("+", "-", ""))
        _ok(self._client.uid("STORE", _set(uids), f"{sign}FLAGS.SILENT", f"({' '.join(flags)})"))
        for uid in uids:
            held = self._model.folders[folder][uid]
            self._model.folders[folder][uid] = held | flags if sign == "+" else held - flags if sign else set(flags)

    def _copy(self) -> None:
        self._transfer("COPY")

    def _move(self) -> None:
        self._transfer("MOVE")

    def _transfer(self, command: str) -> None:
        source = self._folder()
        target = self._chance.choice(sorted(self._model.folders))
        uids = self._some(source)
        if not uids or target == source:
            return
        _ok(self._client.uid(command, _set(uids), f'"{target}"'))
        told = self._client.response("COPYUID")[1]
        code = next((item for item in told if item), None)
        if code is None:
            raise Differs(f"no COPYUID for {command}")
        _, olds, news = code.split()
        for old, new in zip(_numbers(olds), _numbers(news), strict=True):
            self._model.folders[target][new] = set(self._model.folders[source][old])
            if command == "MOVE":
                del self._model.folders[source][old]

    def _delete(self) -> None:
        folder = self._folder()
        uids = self._some(folder)
        if sum(map(len, self._model.folders.values())) > MAX_MESSAGES:
            uids = sorted(self._model.folders[folder])
        if not uids:
            return
        _ok(self._client.uid("STORE", _set(uids), "+FLAGS.SILENT", r"(\Deleted)"))
        _ok(self._client.expunge())
        for uid in uids:
            del self._model.folders[folder][uid]

    def _new_folder(self) -> None:
        if len(self._model.folders) < 12:
            self._model.serial += 1
            parent = self._chance.choice(sorted(self._model.folders))
            name = f"{parent}/F{self._model.serial}" if parent.count("/") < 4 else f"F{self._model.serial}"
            _ok(self._client.create(f'"{name}"'))
            self._model.folders[name] = {}

    def _remove_folder(self) -> None:
        leaves = [
            name for name in self._model.folders
            if name != "INBOX" and not any(other.startswith(f"{name}/") for other in self._model.folders)
        ]  # fmt: skip
        if len(leaves) > 3:
            name = self._chance.choice(sorted(leaves))
            _ok(self._client.select("INBOX"))
            _ok(self._client.delete(f'"{name}"'))
            del self._model.folders[name]

    def _rename(self) -> None:
        names = sorted(name for name in self._model.folders if name != "INBOX")
        if not names:
            return
        old = self._chance.choice(names)
        self._model.serial += 1
        new = f"R{self._model.serial}"
        _ok(self._client.select("INBOX"))
        _ok(self._client.rename(f'"{old}"', f'"{new}"'))
        self._model.folders = {
            new + name[len(old) :] if name == old or name.startswith(f"{old}/") else name: messages
            for name, messages in self._model.folders.items()
        }

    def _search(self) -> None:
        folder = self._folder()
        flag = self._chance.choice(("SEEN", "FLAGGED", "ANSWERED"))
        found = {int(uid) for uid in _ok(self._client.uid("SEARCH", flag))[0].split()}
        wanted = {uid for uid, flags in self._model.folders[folder].items() if f"\\{flag.title()}" in flags}
        if found != wanted:
            raise Differs(f"{self._model.user} {folder}: SEARCH {flag}: {sorted(found ^ wanted)}")

    def _read(self) -> None:
        folder = self._folder()
        uids = self._some(folder)
        if uids:
            rows = _ok(self._client.uid("FETCH", _set(uids), "(RFC822.SIZE ENVELOPE BODYSTRUCTURE BODY.PEEK[])"))
            bodies = [row for row in rows if isinstance(row, tuple)]
            if len(bodies) != len(uids) or any(b"soak-" not in row[1] for row in bodies):
                raise Differs(f"{self._model.user} {folder}: {len(bodies)} bodies of {len(uids)}")

    def _read_by_pop3(self) -> None:
        with pop3(self._server, self._model.user) as client:
            count, _ = client.stat()
            if count != len(self._model.folders["INBOX"]):
                raise Differs(f"{self._model.user}: POP3 has {count}, not {len(self._model.folders['INBOX'])}")
            if count:
                number = self._chance.randint(1, count)
                client.retr(number)
                inbox = self._model.folders["INBOX"]
                inbox[sorted(inbox)[number - 1]].add(r"\Seen")  # What was fetched has been seen.

    # The comparison

    def _compare(self) -> None:
        for folder, messages in self._model.folders.items():
            _ok(self._client.select(f'"{folder}"', readonly=True))
            found = dict(_rows(self._client.uid("FETCH", "1:*", "(UID FLAGS)")))
            if found != messages:
                odd = {uid: (found.get(uid), messages.get(uid)) for uid in found.keys() | messages.keys()}
                odd = {uid: pair for uid, pair in odd.items() if pair[0] != pair[1]}
                raise Differs(f"{self._model.user} {folder}: (there, in the model) {odd}")
        listed = {line.rpartition(b'"/" ')[2].decode().strip('"') for line in _ok(self._client.list()) if line}
        if missing := set(self._model.folders) - listed:
            raise Differs(f"{self._model.user}: LIST lacks {missing}")


def _ok(answer: tuple[str, list]) -> list:  # type: ignore[type-arg]
    if answer[0] != "OK":
        raise Differs(f"answered {answer[0]}: {answer[1]!r}")
    return answer[1]


def _set(uids: Iterable[int]) -> str:
    return ",".join(map(str, uids))


def _numbers(text: bytes) -> Iterator[int]:
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        yield from range(int(first), int(last or first) + 1)


def _rows(answer: tuple[str, list]) -> Iterator[tuple[int, set[str]]]:  # type: ignore[type-arg]
    for row in _ok(answer):
        match = _UID_FLAGS.search(row) if isinstance(row, bytes) else None
        if match:
            flags = set((match[2] if match[2] is not None else match[3] or b"").decode().split())
            yield int(match[1] or match[4]), flags - {r"\Recent"}


@dataclass
class Soaked:
    """What came of it."""

    visits: int = 0
    commands: int = 0
    differences: list[str] = field(default_factory=list)


def soak(
    server: Running,
    users: list[str],
    *,
    seconds: float,
    clients: int,
    seed: int,
    commands: int = 15,
    pause: float = 0.0,
) -> Soaked:
    """`clients` threads visit the accounts in turn, for so long; then each account is compared once more."""
    models, done, lock = [Model(user) for user in users], Soaked(), threading.Lock()
    free, end = list(models), time.monotonic() + seconds

    def work(number: int) -> None:
        chance = random.Random(f"{seed}/{number}")
        while time.monotonic() < end and not done.differences:
            with lock:
                model = free.pop(chance.randrange(len(free)))
            visit = Visit(server, model, chance)
            try:
                visit.run(commands)
            except Exception as error:
                with lock:
                    done.differences.append(f"{type(error).__name__}: {error}"[:2000])
            with lock:
                done.visits += 1
                done.commands += visit.commands
                free.append(model)
            if pause:
                time.sleep(pause)

    threads = [threading.Thread(target=work, args=(number,), daemon=True) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if not done.differences:
        chance = random.Random(seed)
        for model in models:
            Visit(server, model, chance).run(0)
    return done
