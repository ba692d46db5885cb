"""Many IMAP clients at once in one mailbox, each of which checks every response against what the RFCs promise.

    EXISTS falls by EXPUNGE alone; no EXPUNGE while a command that names messages by number is answered
    a message number is at most what was announced; its UID stays, and UIDs ascend with numbers
    a keyword is shown after FLAGS has announced it, and flags agree with all other clients in the end
    a message has one content, as long as its RFC822.SIZE
    every command is OK, whatever the others have expunged; after BYE there is the tagged response alone

Standards: RFC 3501 2.3.1, 5.2, 5.5, 7; RFC 2180 4
"""

import asyncio
import random
import re
from collections.abc import Iterable
from dataclasses import dataclass, field

_LITERAL = re.compile(rb"\{(\d+)\}\r\n\Z")
_FLAGS = re.compile(rb"FLAGS \(([^)]*)\)")
_NUMBERED = re.compile(rb"\* (\d+) (EXISTS|RECENT|EXPUNGE|FETCH)\b(.*)", re.S)
KEYWORDS = (b"$Label1", b"$Label2", b"Work")
SYSTEM = (b"\\Seen", b"\\Flagged", b"\\Answered", b"\\Draft")
BY_NUMBER = (b"FETCH", b"STORE", b"SEARCH")
PATIENCE = 60.0
"""Seconds in which an answer must come."""


class Broken(AssertionError):
    """The server said what it must not say."""


@dataclass
class Seen:
    """A message as one client knows it; `uid` 0 and `flags` None: not yet."""

    uid: int = 0
    flags: frozenset[bytes] | None = None


@dataclass
class Shared:
    """What all clients have seen."""

    contents: dict[int, bytes] = field(default_factory=dict)
    commands: int = 0


class Client:
    """One user of the mailbox. Sends several commands at once, as clients pipeline."""

    def __init__(self, port: int, user: str, password: str, shared: Shared, chance: random.Random) -> None:
        self._port, self._login, self._shared, self._chance = port, f"{user} {password}".encode(), shared, chance
        self.messages: list[Seen] = []
        self._keywords: set[bytes] = set()
        self._tag = 0
        self._pending: dict[bytes, bytes] = {}
        self._left = False

    async def connect(self) -> None:
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
        self.messages, self._keywords, self._left = [], set(), False
        await self._response()
        await self.run(b"LOGIN " + self._login)
        await self.run(b"SELECT INBOX")

    async def run(self, *commands: bytes) -> None:
        """All at once; returns when the last one is answered."""
        for command in commands:
            self._tag += 1
            tag = b"t%d" % self._tag
            self._pending[tag] = command
            self._shared.commands += 1
            self._writer.write(tag + b" " + command + b"\r\n")
        await self._writer.drain()
        while self._pending:
            await self._answer(await self._response())

    async def learn(self) -> None:
        await self.run(b"NOOP")
        await self.run(b"UID FETCH 1:* (FLAGS)")

    async def leave(self) -> None:
        await self.run(b"LOGOUT")
        if await self._reader.read():
            raise Broken("something came after LOGOUT was answered")
        self._writer.close()

    async def live(self, steps: int) -> None:
        await self.connect()
        for _ in range(steps):
            if self._chance.random() < 0.05:
                await self.leave()
                await self.connect()
            commands = [self._command()]
            while commands[-1].startswith(BY_NUMBER) and self._chance.random() < 0.3:
                # RFC 3501 5.5: after any other command the numbers may be others before the next one is read.
                commands.append(self._command())
            await self.run(*commands)

    # What it does

    def _command(self) -> bytes:
        choose, chance = self._chance.choice, self._chance
        append = b"APPEND INBOX (%b) {%d+}\r\n%b"
        text = b"Subject: %d\r\n\r\n%b" % (chance.randrange(10**9), b"word\r\n" * chance.randrange(50))
        if len(self.messages) < 10 or chance.random() < 0.1:
            return append % (choose(KEYWORDS), len(text), text)
        first, last = sorted((chance.randint(1, len(self.messages)), chance.randint(1, len(self.messages))))
        numbers = b"%d:%d" % (first, min(last, first + 8))
        flags = b" ".join(chance.sample((*SYSTEM, *KEYWORDS), chance.randint(1, 3)))
        return choose(
            (
                b"FETCH " + numbers + b" (UID FLAGS)",
                b"FETCH " + numbers + b" (UID RFC822.SIZE ENVELOPE BODYSTRUCTURE)",
                b"FETCH " + numbers + b" (UID RFC822.SIZE BODY.PEEK[])",
                b"STORE " + numbers + b" " + choose((b"+", b"-", b"")) + b"FLAGS (" + flags + b")",
                b"STORE " + numbers + b" +FLAGS.SILENT (" + flags + b")",
                b"STORE " + numbers + b" +FLAGS (\\Deleted)",
                b"SEARCH " + numbers + b" UNSEEN",
                b"EXPUNGE",
                b"NOOP",
                b"UID FETCH 1:* (FLAGS)",
            )
        )

    # What it is told

    async def _response(self) -> bytes:
        """One response, its literals in their places, without the last CRLF."""
        said = b""
        async with asyncio.timeout(PATIENCE):
            while True:
                said += await self._reader.readline()
                if not said.endswith(b"\r\n"):
                    raise Broken(f"the connection ended within {said[-80:]!r}, {self._pending} unanswered")
                literal = _LITERAL.search(said)
                if not literal:
                    return said[:-2]
                said += await self._reader.readexactly(int(literal[1]))

    async def _answer(self, said: bytes) -> None:
        if not said.startswith(b"* "):
            tag, _, words = said.partition(b" ")
            command = self._pending.pop(tag, None)
            if command is None or not words.startswith(b"OK"):
                raise Broken(f"{command!r} was answered {said!r}")
            if command.startswith(b"STORE") and b".SILENT" in command:
                self._unknown(command)
            return
        if self._left:
            raise Broken(f"after BYE: {said!r}")
        if said.startswith(b"* BYE"):
            self._left = True
        elif said.startswith(b"* FLAGS"):
            self._keywords.update(said.partition(b"(")[2].rstrip(b")").split())
        elif match := _NUMBERED.match(said):
            self._numbered(int(match[1]), match[2], match[3])

    def _unknown(self, command: bytes) -> None:
        """After a silent STORE the flags are asked for anew."""
        first, _, last = command.split()[1].partition(b":")
        for message in self.messages[int(first) - 1 : int(last)]:
            message.flags = None

    def _numbered(self, number: int, what: bytes, rest: bytes) -> None:
        messages = self.messages
        if what == b"EXISTS":
            if number < len(messages):
                raise Broken(f"EXISTS fell from {len(messages)} to {number}")
            messages += [Seen() for _ in range(number - len(messages))]
        elif what == b"EXPUNGE":
            if next(iter(self._pending.values())).startswith(BY_NUMBER):
                raise Broken(f"EXPUNGE within {self._pending}")
            if number > len(messages):
                raise Broken(f"EXPUNGE of {number}, there are {len(messages)}")
            del messages[number - 1]
        elif what == b"FETCH":
            if number > len(messages):
                raise Broken(f"FETCH of {number}, there are {len(messages)}")
            self._fetched(number, rest)

    def _fetched(self, number: int, items: bytes) -> None:
        message = self.messages[number - 1]
        head = items.partition(b"BODY[]")[0]
        if uid := re.search(rb"\bUID (\d+)", head):
            if message.uid not in (0, int(uid[1])):
                raise Broken(f"message {number} was UID {message.uid}, now {int(uid[1])}")
            message.uid = int(uid[1])
            known = [each.uid for each in self.messages if each.uid]
            if known != sorted(set(known)):
                raise Broken(f"UIDs do not ascend: {known}")
        if flags := _FLAGS.search(head):
            message.flags = frozenset(flags[1].split()) - {b"\\Recent"}
            if unannounced := {flag for flag in message.flags if not flag.startswith(b"\\")} - self._keywords:
                raise Broken(f"{unannounced} not announced by FLAGS")
        if body := re.search(rb"BODY\[\] \{(\d+)\}\r\n", items):
            content = items[body.end() : body.end() + int(body[1])]
            size = re.search(rb"RFC822\.SIZE (\d+)", head)
            if size is None or int(size[1]) != len(content):
                raise Broken(f"RFC822.SIZE {size and size[1]!r}, but {len(content)} octets")
            if self._shared.contents.setdefault(message.uid, content) != content:
                raise Broken(f"UID {message.uid} has another content than before")


async def stress(port: int, user: str, password: str, *, clients: int, steps: int, seed: int) -> int:
    """How many commands were answered. Broken if a promise was not kept."""
    shared = Shared()
    crowd = [Client(port, user, password, shared, random.Random(f"{seed}/{n}")) for n in range(clients)]
    async with asyncio.TaskGroup() as group:
        for client in crowd:
            group.create_task(client.live(steps))
    for client in crowd:
        await client.learn()
    agree(crowd)
    for client in crowd:
        await client.leave()
    return shared.commands


def agree(crowd: Iterable[Client]) -> None:
    pictures = [{message.uid: message.flags for message in client.messages} for client in crowd]
    for picture in pictures[1:]:
        if picture != pictures[0]:
            raise Broken(f"clients disagree: {sorted(picture.items() ^ pictures[0].items())[:5]}")
