"""Dialogues with the IMAP service, readable beside the RFC: `tests/transcript/imap/*.txt`.

    == What must hold               begins a dialogue, with fresh connections to a fresh store
    C: a LOGIN alice secret         what the client sends, CRLF added
    S: a OK Signed in               what the server must have sent before the client goes on, line by line
    C2: / S2:                       a second connection (a third ...), opened and greeted when first used
    D: INBOX                        a message is delivered to a folder, not by IMAP; its text:
    M: Subject: x

In an `S:` line `<...>` stands for anything. `S:` lines are compared with all that came: nothing more may have come.
The greeting is checked where the dialogue begins with it, else it is passed over.
"""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.unit.services.imapd.house import Client, House

FOLDER = Path(__file__).parent / "imap"


@dataclass(frozen=True)
class Dialogue:
    name: str
    lines: tuple[tuple[int, str, str], ...]
    """Line number, who, what."""


def dialogues() -> list[Dialogue]:
    found: list[Dialogue] = []
    for path in sorted(FOLDER.glob("*.txt")):
        name, lines = "", list[tuple[int, str, str]]()
        for number, line in enumerate(path.read_text().splitlines(), 1):
            if line.startswith("== "):
                if lines:
                    found.append(Dialogue(name, tuple(lines)))
                name, lines = f"{path.stem}: {line[3:]}", []
            elif line and not line.startswith("#"):
                who, colon, what = line.partition(":")
                assert colon and re.fullmatch(r"[CSDM]\d?", who), f"{path.name}:{number}"
                lines.append((number, who, what.removeprefix(" ")))
        found.append(Dialogue(name, tuple(lines)))
    return found


class Stage:
    def __init__(self, house: House) -> None:
        self._house = house
        self._clients: dict[str, Client] = {}

    async def client(self, key: str, *, greeting: bool) -> Client:
        client = self._clients.get(key)
        if client is None:
            client = self._clients[key] = self._house.connect()
            if not greeting:
                await client.read()
        return client


async def play(dialogue: Dialogue) -> None:
    async with House() as house:
        stage, lines = Stage(house), dialogue.lines
        folder, at = "INBOX", 0
        while at < len(lines):
            number, who = lines[at][:2]
            end = at
            while end < len(lines) and lines[end][1] == who:
                end += 1
            block = [what for _, _, what in lines[at:end]]
            at = end
            if who == "D":
                folder = block[0]
                continue
            if who == "M":
                await house.deliver("\r\n".join([*block, ""]).encode(), folder)
                continue
            client = await stage.client(who[1:], greeting=who[0] == "S")
            if who[0] == "C":
                client.connection.data_received("".join(f"{line}\r\n" for line in block).encode())
                if at < len(lines) and lines[at][1] == "S" + who[1:]:
                    continue
                # Nobody looks at the answer before someone else speaks: it must have been given all the same.
                for _ in range(50):
                    await asyncio.sleep(0)
                continue
            said = (await client.read()).decode("utf-8", "surrogateescape").split("\r\n")[:-1]
            assert len(said) == len(block) and all(map(agrees, block, said)), (
                f"line {number}\nexpected:\n  " + "\n  ".join(block) + "\nsaid:\n  " + "\n  ".join(said)
            )


def agrees(wanted: str, said: str) -> bool:
    pattern = ".*".join(re.escape(piece) for piece in re.split(r"<[^<>@]*\.\.\.>", wanted))
    return re.fullmatch(pattern, said, re.DOTALL) is not None


@pytest.mark.parametrize("dialogue", dialogues(), ids=lambda dialogue: dialogue.name)
def test_dialogue(dialogue: Dialogue) -> None:
    asyncio.run(play(dialogue))
