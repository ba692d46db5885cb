"""Several sessions in one mailbox: what each client believes after its answers is what the server has.

The client here is the simplest that the RFCs allow: it applies EXISTS, EXPUNGE, VANISHED and FETCH in the order they
come, and after a NOOP it must agree with the store, message by message. RFC 3501 5.2, 7.4; RFC 7162; RFC 9586
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.contract.backends import BACKENDS
from tests.unit.services.imapd.house import ALICE, Client, House, Patient
from whimbrel.core.uids import ALL
from whimbrel.protocols.imap.encode import flag_text

_FETCH = re.compile(rb"\* (\d+) (UIDFETCH|FETCH) \((.*)\)\Z")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_MODES = ((), (b"CONDSTORE",), (b"QRESYNC",), (b"UIDONLY",), (b"IMAP4rev2", b"QRESYNC"))


@asynccontextmanager
async def _over(name: str) -> AsyncIterator[House]:
    """A house whose store is the backend called `name`."""
    with TemporaryDirectory() as folder:
        async with BACKENDS[name](Path(folder)) as backend, House() as house:
            house.use(backend)
            yield house


class Mirror:
    """A client and what it believes."""

    def __init__(self, client: Client, mode: tuple[bytes, ...], selected: bytes) -> None:
        self.client, self.mode = client, mode
        self.uidonly = b"UIDONLY" in mode
        self.messages: list[dict[str, object]] = []
        """In order of their numbers: UID (0: not yet known) and flags."""
        self.apply(selected)

    def apply(self, said: bytes) -> None:
        for line in said.split(b"\r\n"):
            words = line.split(b" ")
            if words[:1] != [b"*"]:
                continue
            if words[1:2] == [b"VANISHED"]:
                assert b"QRESYNC" in self.mode or self.uidonly
                gone = set(_uids(words[-1]))
                if words[2] != b"(EARLIER)":
                    known = [message["uid"] for message in self.messages]
                    assert gone <= set(known) or 0 in known, (gone, known)
                self.messages = [message for message in self.messages if message["uid"] not in gone]
            elif words[2:3] == [b"EXISTS"]:
                count = int(words[1])
                assert count >= len(self.messages)
                self.messages += [{"uid": 0, "flags": None} for _ in range(count - len(self.messages))]
            elif words[2:3] == [b"EXPUNGE"]:
                assert b"QRESYNC" not in self.mode and not self.uidonly
                del self.messages[int(words[1]) - 1]
            elif match := _FETCH.match(line):
                self._fetched(int(match[1]), match[2], match[3])

    def _fetched(self, number: int, verb: bytes, items: bytes) -> None:
        assert (verb == b"UIDFETCH") is self.uidonly
        if self.uidonly:
            found = [message for message in self.messages if message["uid"] == number]
            if not found:
                # New: UIDs ascend, so the first message that is not known yet is this one.
                found = [message for message in self.messages if message["uid"] == 0][:1]
                assert found, number
                found[0]["uid"] = number
            message = found[0]
        else:
            message = self.messages[number - 1]
            if uid := re.search(rb"\bUID (\d+)", items):
                assert message["uid"] in (0, int(uid[1]))
                message["uid"] = int(uid[1])
        if flags := _FLAGS.search(items):
            message["flags"] = _flags(flags[1])

    async def settle(self) -> None:
        """What is left comes with NOOP."""
        self.apply(await self.client.ask(b"NOOP"))
        await self.learn()

    async def learn(self) -> None:
        """Asks what it does not know yet."""
        if any(not message["uid"] or message["flags"] is None for message in self.messages):
            command = b"UID FETCH 1:* (FLAGS)"  # By number it is refused if one is gone already.
            self.apply(await self.client.ask(command))

    async def do(self, action: str, first: int, second: int) -> None:
        if not self.messages and action not in ("append", "noop", "idle"):
            return
        count = max(1, len(self.messages))
        numbers = b"%d,%d" % (1 + first % count, 1 + second % count)
        uid = b"UID " if self.uidonly or second % 2 else b""
        if uid:
            known = [int(str(message["uid"])) for message in self.messages if message["uid"]]
            numbers = b",".join(b"%d" % known[at % len(known)] for at in (first, second)) if known else b"1"
        commands = {
            "append": b"APPEND INBOX {6+}\r\na: b\r\n",
            "store": uid + b"STORE " + numbers + b" +FLAGS (\\Flagged k%d)" % (first % 3),
            "silent": uid + b"STORE " + numbers + b" -FLAGS.SILENT (\\Flagged k%d)" % (second % 3),
            "delete": uid + b"STORE " + numbers + b" +FLAGS.SILENT (\\Deleted)",
            "expunge": b"EXPUNGE",
            "fetch": uid + b"FETCH " + numbers + b" (FLAGS)",
            "noop": b"NOOP",
            "copy": uid + b"COPY " + numbers + b" INBOX",
            "move": uid + b"MOVE " + numbers + b" INBOX",
        }
        said = await self.client.say(b"x " + commands[action])
        assert re.search(rb"^x (OK|NO) ", said, re.M), said
        self.apply(said)
        if action in ("silent", "delete"):
            change = b"\\Deleted" if action == "delete" else None
            self._own(said, numbers, uid=bool(uid), add=change, word=b"k%d" % (second % 3))
        await self.learn()

    def _own(self, said: bytes, numbers: bytes, *, uid: bool, add: bytes | None, word: bytes) -> None:
        """A client that stores silently changes its own picture; if the server told the flags, those count."""
        wanted = {int(number) for number in numbers.split(b",")}
        told = {int(match[1]) for match in re.finditer(rb"\* (\d+) (?:UID)?FETCH \([^\r]*FLAGS", said)}
        for at, message in enumerate(self.messages, 1):
            mine = message["uid"] in wanted if uid else at in wanted
            called = message["uid"] if self.uidonly else at
            flags = message["flags"]
            if mine and called not in told and isinstance(flags, frozenset):
                message["flags"] = flags | {add} if add else flags - {b"\\Flagged", word}


def _flags(words: bytes) -> frozenset[bytes]:
    return frozenset(words.split()) - {b"\\Recent"}


def _uids(text: bytes) -> list[int]:
    found: list[int] = []
    for part in text.split(b","):
        low, _, high = part.partition(b":")
        found += range(int(low), int(high or low) + 1)
    return found


ACTIONS = ("append", *["store", "silent"] * 3, "delete", "expunge", "fetch", "noop", "copy", "move")
STEPS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from(ACTIONS), st.integers(0, 4), st.integers(0, 4)), max_size=30
)


async def _scene(name: str, modes: list[tuple[bytes, ...]], steps: list[tuple[int, str, int, int]]) -> None:
    async with _over(name) as house:
        filler = await house.signed_in(kind=Patient)
        for _ in range(3):
            await filler.ask(b"APPEND INBOX {6+}\r\na: b\r\n")
        mirrors: list[Mirror] = []
        for mode in modes:
            client = await house.signed_in(kind=Patient)
            if mode:
                await client.ask(b"ENABLE " + b" ".join(mode))
            mirrors.append(Mirror(client, mode, await client.ask(b"SELECT INBOX")))
            await mirrors[-1].learn()
        for who, action, first, second in steps:
            await mirrors[who % len(mirrors)].do(action, first, second)
        for mirror in mirrors:
            await mirror.settle()
        folder = await house.server._ports.folders.find(ALICE, "INBOX")
        assert folder is not None
        truth = {
            row[0]: _flags(_words(row[1], row[2])) for row in await house.server._ports.messages.flags(folder.ref, ALL)
        }
        for mirror in mirrors:
            assert {message["uid"]: message["flags"] for message in mirror.messages} == truth, mirror.mode


def _words(bits: int, keywords: str) -> bytes:
    return flag_text(bits, keywords, recent=False).encode()


@pytest.mark.parametrize("name", sorted(BACKENDS))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(modes=st.lists(st.sampled_from(_MODES), min_size=2, max_size=3), steps=STEPS)
def test_what_each_client_believes_is_what_the_server_has(
    name: str, modes: list[tuple[bytes, ...]], steps: list[tuple[int, str, int, int]]
) -> None:
    asyncio.run(_scene(name, modes, steps))


@pytest.mark.parametrize("name", sorted(BACKENDS))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(before=STEPS, between=STEPS)
def test_a_client_that_comes_back_with_qresync_knows_all(
    name: str, before: list[tuple[int, str, int, int]], between: list[tuple[int, str, int, int]]
) -> None:
    asyncio.run(_return(name, before, between))


async def _return(name: str, before: list[tuple[int, str, int, int]], between: list[tuple[int, str, int, int]]) -> None:
    async with _over(name) as house:
        worker = Mirror(client := await house.signed_in(kind=Patient), (), await client.ask(b"SELECT INBOX"))
        for _, action, first, second in before:
            await worker.do(action, first, second)
        mode = (b"QRESYNC",)
        client = await house.signed_in(b"ENABLE QRESYNC", kind=Patient)
        opened = await client.ask(b"SELECT INBOX")
        away = Mirror(client, mode, opened)
        away.apply(await client.ask(b"UID FETCH 1:* (FLAGS)"))
        validity, modseq = (_number(opened, word) for word in (b"UIDVALIDITY", b"HIGHESTMODSEQ"))
        await client.ask(b"UNSELECT")
        for _, action, first, second in between:
            await worker.do(action, first, second)
        await worker.settle()
        known = {message["uid"]: message["flags"] for message in away.messages}
        said = await client.ask(b"SELECT INBOX (QRESYNC (%d %d))" % (validity, modseq))
        for line in said.split(b"\r\n"):
            if line.startswith(b"* VANISHED (EARLIER) "):
                for uid in _uids(line.rpartition(b" ")[2]):
                    known.pop(uid, None)
            elif match := _FETCH.match(line):
                named, flags = re.search(rb"UID (\d+)", match[3]), _FLAGS.search(match[3])
                assert named and flags and b"MODSEQ (" in match[3]
                known[int(named[1])] = _flags(flags[1])
        assert known == {message["uid"]: message["flags"] for message in worker.messages}


def _number(said: bytes, word: bytes) -> int:
    match = re.search(rb"\[" + word + rb" (\d+)\]", said)
    assert match
    return int(match[1])
