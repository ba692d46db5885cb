"""Malformed SMTP sessions for a real server: dialogues of the transcripts and mails of the corpus, mutilated.

What a number stands for is the same each time, but for how the network cuts it into pieces.
"""

import contextlib
import os
import random
import re
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

TRANSCRIPTS: Final = Path(__file__).resolve().parents[1] / "transcript" / "smtp"
_ESCAPE: Final = re.compile(rb"\\(?:x([0-9a-f]{2})|([rnt0\\]))")
_PLAIN: Final = {b"r": b"\r", b"n": b"\n", b"t": b"\t", b"0": b"\0", b"\\": b"\\"}
_RECIPIENTS: Final = {b"bob@example.test": b"user1@example.test", b"alice@example.test": b"user2@example.test"}
_SPICE: Final = (
    b"\0", b"\r", b"\n", b"\r\n.\r\n", b"\n.\n", b"\xff\xfe", b"\xc3\xbc", b"<", b">", b'"', b"\\", b" ", b":", b"@",
    b"A" * 600, b"(" * 3000, b"BDAT 99999999999\r\n", b"BDAT 10\r\n", b"DATA\r\n", b"RSET\r\n", b"AUTH PLAIN =\r\n",
    b"STARTTLS\r\n", b"MAIL FROM:<" + b"@a,:" * 50 + b">\r\n", b"RCPT TO:<a@\xe2\x9d\xa4.ws>\r\n", b"QUIT\r\n",
    b"MAIL FROM:<a@xn--99999999.test> SMTPUTF8\r\n", b"Content-Type: multipart/mixed; boundary=\r\n",
    b"RCPT TO:<\xc3\x9f@stra\xc3\x9fe.test>\r\n", b"Received: x\r\n" * 150,
)  # fmt: skip


def dialogues() -> list[bytes]:
    """What the client says in each dialogue of the transcripts."""
    found: list[bytes] = []
    for path in sorted(TRANSCRIPTS.glob("*.txt")):
        said: list[bytes] = []
        for line in path.read_bytes().splitlines():
            if line.startswith(b"=="):
                found.append(b"".join(said))
                said = []
            elif line.startswith(b"C: "):
                said.append(line[3:] + b"\r\n")
            elif line.startswith(b"R: "):
                said.append(_ESCAPE.sub(lambda m: bytes([int(m[1], 16)]) if m[1] else _PLAIN[m[2]], line[3:]))
        found.append(b"".join(said))
    for old, new in _RECIPIENTS.items():
        found = [one.replace(old, new) for one in found]
    return [one for one in found if one]


def mails(limit: int = 200) -> list[bytes]:
    """Some of the corpus, where there is one."""
    folder = os.environ.get("WHIMBREL_CORPUS", "")
    paths = sorted(Path(folder).glob("*.eml"))[:limit] if folder else []
    return [path.read_bytes()[: 256 * 1024] for path in paths] or [b"Subject: x\r\n\r\ntext\r\n"]


class Inputs:
    """Any number of sessions, each by its number."""

    def __init__(self, seed: int) -> None:
        self._seed, self._dialogues, self._mails = seed, dialogues(), mails()

    def session(self, number: int) -> bytes:
        chance = random.Random(f"{self._seed}-{number}")
        said = chance.choice(self._dialogues)
        if chance.random() < 0.3:
            hello = chance.choice((b"EHLO c\r\n", b"LHLO c\r\n", b"HELO c\r\n"))
            envelope = b"MAIL FROM:<a@else.test>\r\nRCPT TO:<user1@example.test>\r\nDATA\r\n"
            said = hello + envelope + chance.choice(self._mails) + b"\r\n.\r\n" + said
        for _ in range(chance.choice((0, 1, 1, 2, 5))):
            said = self._mutilated(said, chance)
        return said

    def _mutilated(self, said: bytes, chance: random.Random) -> bytes:
        at, to = sorted((chance.randrange(len(said) + 1), chance.randrange(len(said) + 1)))
        kind = chance.randrange(6)
        if kind == 0:
            return said[:at] + chance.choice(_SPICE) + said[at:]
        if kind == 1:
            return said[:at] + said[min(to, at + 40) :]
        if kind == 2:
            return said[:at] + said[at:to] * 2 + said[to:]
        if kind == 3 and said:
            return said[:at] + bytes([chance.randrange(256)]) + said[at + 1 :]
        if kind == 4:
            lines = said.splitlines(keepends=True)
            chance.shuffle(lines)
            return b"".join(lines)
        return said[:at] + chance.choice(self._dialogues) + said[at:]


def _pieces(said: bytes, chance: random.Random) -> Iterator[bytes]:
    while said:
        cut = chance.choice((len(said), len(said), 1, 7, chance.randrange(1, len(said) + 1)))
        yield said[:cut]
        said = said[cut:]
        if chance.random() < 0.02:  # It is gone in the middle.
            return


def play(port: int, said: bytes, chance: random.Random) -> None:
    """One session; what is answered is read now and then, or never."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 10) as client:
        client.settimeout(5)
        reads = chance.random() < 0.8
        for number, piece in enumerate(_pieces(said, chance)):
            if number >= 40:
                client.sendall(said[-200:])
                break
            client.sendall(piece)
            if reads and chance.random() < 0.3:
                with contextlib.suppress(BlockingIOError):
                    client.recv(65536, socket.MSG_DONTWAIT)
        if chance.random() < 0.3:
            client.shutdown(socket.SHUT_WR)
            while reads and client.recv(65536):
                pass


def pelt(ports: Sequence[int], inputs: Inputs, numbers: Sequence[int], *, clients: int, seconds: float) -> int:
    """Plays these sessions, `clients` at a time, for so long at most; how many were played."""
    end, todo, lock, done = time.monotonic() + seconds, list(numbers), threading.Lock(), [0]

    def work() -> None:
        while time.monotonic() < end:
            with lock:
                if not todo:
                    return
                number = todo.pop()
                done[0] += 1
            chance = random.Random(number)
            play(chance.choice(ports), inputs.session(number), chance)

    threads = [threading.Thread(target=work) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return done[0]


def residents(pids: Mapping[int, str]) -> dict[str, int]:
    """Octets that each process holds in memory, by its name."""
    pages = {name: int(Path(f"/proc/{pid}/statm").read_text().split()[1]) for pid, name in pids.items()}
    return {name: number * os.sysconf("SC_PAGE_SIZE") for name, number in pages.items()}
