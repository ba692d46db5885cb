"""Several clients in one mailbox, doing anything in any order: what each was told adds up to what there is."""

import asyncio
import re

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.services.imapd.house import Client, House

NUMBERS = st.sampled_from([b"1", b"2", b"1:2", b"*", b"1:*", b"2:3"])
FLAGS = st.sampled_from([b"\\Seen", b"\\Deleted", b"\\Flagged", b"$a", b"$B", b"\\Deleted \\Seen"])
UID = st.sampled_from([b"", b"UID "])
COMMANDS = st.one_of(
    st.sampled_from(
        [b"NOOP", b"EXPUNGE", b"SEARCH ALL", b"UID SEARCH DELETED", b"FETCH 1:* FLAGS",
         b"APPEND INBOX {6+}\r\na: b\r\n",
         b"COPY 1 INBOX", b"IDLE\r\nDONE", b"UID EXPUNGE 1:3", b"UID MOVE 1:2 INBOX", b"SELECT INBOX", b"CLOSE"]
    ),
    st.builds(lambda uid, n, op, f: uid + b"STORE " + n + b" " + op + b"FLAGS (" + f + b")",
              UID, NUMBERS, st.sampled_from([b"+", b"-", b""]), FLAGS),
    st.builds(lambda uid, n: uid + b"FETCH " + n + b" (FLAGS BODY[])", UID, NUMBERS),
)  # fmt: skip


class Model:
    """What a client believes: the flags of each message by its number, None while it was not told."""

    def __init__(self) -> None:
        self.flags: list[set[bytes] | None] = []

    def hear(self, said: bytes, *, held: bool) -> None:
        for line in re.findall(rb"(?m)^\* (\d+ .*)\r$", said):
            number, _, what = line.partition(b" ")
            n = int(number)
            if what == b"EXISTS":
                assert n >= len(self.flags)
                self.flags += [None] * (n - len(self.flags))
            elif what == b"EXPUNGE":
                assert not held, "EXPUNGE while numbers are in use"
                assert 1 <= n <= len(self.flags)
                del self.flags[n - 1]
            elif found := re.search(rb"FLAGS \(([^)]*)\)", what):
                self.flags[n - 1] = set(found[1].split())


async def speak(client: Client, model: Model, command: bytes) -> None:
    if command.startswith((b"SELECT", b"CLOSE")):
        await client.ask(b"NOOP" if not model.flags else b"SELECT INBOX")
        command = b"SELECT INBOX"
        model.flags.clear()
    said = await client.say(b"t " + command)
    assert re.search(rb"(?m)^t (OK|NO|BAD) ", said), said
    assert b"SERVERBUG" not in said
    model.hear(said, held=command.startswith((b"FETCH", b"STORE", b"SEARCH")))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.integers(0, 2), COMMANDS), max_size=25))
def test_what_clients_were_told_adds_up(steps: list[tuple[int, bytes]]) -> None:
    async def run() -> None:
        async with House() as house:
            for _ in range(3):
                await house.deliver(b"Subject: x\r\n\r\ntext\r\n")
            clients = [await house.signed_in() for _ in range(3)]
            models = [Model() for _ in clients]
            for client, model in zip(clients, models, strict=True):
                await speak(client, model, b"SELECT INBOX")
            for who, command in steps:
                if who == 2 and command == b"EXPUNGE":
                    await house.deliver(b"Subject: y\r\n\r\n")
                await speak(clients[who], models[who], command)
            for client, model in zip(clients, models, strict=True):
                await speak(client, model, b"NOOP")
                believed = list(model.flags)
                fresh = Model()
                fresh.flags = [None] * len(believed)
                if believed:
                    fresh.hear(await client.say(b"t FETCH 1:* FLAGS"), held=True)
                for belief, truth in zip(believed, fresh.flags, strict=True):
                    assert truth is not None and belief in (None, truth)
                uids = (await client.ask(b"UID SEARCH ALL")).split()[2:]
                assert len(uids) == len(believed) == len(set(uids))

    asyncio.run(run())
