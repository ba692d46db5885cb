"""Dialogues in text files, readable beside the RFC, played against a server.

    == What must hold          begins a dialogue, with fresh connections to a fresh server
    @ submission tls           words for the stage (which service, which settings); the stage says what they mean
    C: EHLO client             what the client sends, CRLF added; lines that follow each other go out in one write
    R: a\\n.\\r\\n                sent as it is: \\r \\n \\t \\0 \\xNN \\\\ are read, nothing is added
    S: 250 <...>               the next line that the server sends; `<...>` stands for anything, `<~[0-9]+~>` for
                               what the regular expression fits
    S: <until>250 <...>        lines are passed over until one fits, such as those of EHLO (at most 40)
    S: <closed>                the server has closed the connection
    T:                         the client starts TLS
    X:                         the client closes
    C2: / S2: / T2: ...        a second connection (third ...), opened when first named

After the last line nothing more may come from the server. Lines that start with # are comments.
"""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

PATIENCE = 10.0
"""Seconds in which an expected line must come."""

_LINE = re.compile(r"([CRSTX])(\d?):(?: (.*))?\Z")
_ANY = re.compile(r"<\.\.\.>|<~(.*?)~>")
_ESCAPE = re.compile(r"\\(x[0-9a-fA-F]{2}|.)")
_ESCAPES = {"r": "\r", "n": "\n", "t": "\t", "0": "\0", "\\": "\\"}

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]
Dial = Callable[[str], Awaitable[Streams]]
"""Opens the connection called "", "2", "3" ..."""


@dataclass(frozen=True)
class Step:
    number: int
    kind: str
    connection: str
    text: str


@dataclass(frozen=True)
class Dialogue:
    name: str
    words: tuple[str, ...]
    steps: tuple[Step, ...]

    def __str__(self) -> str:
        return self.name


def dialogues(folder: Path) -> list[Dialogue]:
    """All dialogues of the `.txt` files in `folder`."""
    found: list[Dialogue] = []
    for path in sorted(folder.glob("*.txt")):
        name, words, steps = "", list[str](), list[Step]()
        for number, line in enumerate([*path.read_text().splitlines(), "== "], 1):
            if line.startswith("== "):
                if steps:
                    found.append(Dialogue(name, tuple(words), tuple(steps)))
                name, words, steps = f"{path.stem}: {line[3:]}", [], []
            elif line.startswith("@ "):
                words.extend(line[2:].split())
            elif line and not line.startswith("#"):
                match = _LINE.match(line)
                assert match, f"{path.name}:{number}: {line!r}"
                steps.append(Step(number, match[1], match[2], match[3] or ""))
    return found


def pattern(text: str) -> re.Pattern[str]:
    """What an `S:` line fits."""
    parts, at = list[str](), 0
    for match in _ANY.finditer(text):
        parts.append(re.escape(text[at : match.start()]))
        parts.append(".*" if match[1] is None else f"(?:{match[1]})")
        at = match.end()
    return re.compile("".join(parts) + re.escape(text[at:]) + r"\Z", re.DOTALL)


def raw(text: str) -> bytes:
    """What an `R:` line sends."""
    return _ESCAPE.sub(
        lambda match: chr(int(match[1][1:], 16)) if match[1][0] == "x" and len(match[1]) == 3 else _ESCAPES[match[1]],
        text,
    ).encode("latin-1")


async def play(dialogue: Dialogue, dial: Dial, tls: Callable[[], ssl.SSLContext] | None = None) -> None:
    """Raises AssertionError at the first line that does not fit. `tls` is the client's context."""
    streams: dict[str, Streams] = {}
    try:
        for step in dialogue.steps:
            if step.connection not in streams:
                streams[step.connection] = await dial(step.connection)
            reader, writer = streams[step.connection]
            where = f"{dialogue.name}, line {step.number}"
            if step.kind == "C":
                writer.write(step.text.encode() + b"\r\n")
            elif step.kind == "R":
                writer.write(raw(step.text))
            elif step.kind == "S":
                await _expect(reader, step.text, where)
            elif step.kind == "T":
                assert tls is not None, f"{where}: no TLS here"
                await asyncio.wait_for(writer.start_tls(tls(), server_hostname="localhost"), PATIENCE)
            elif step.kind == "X":
                writer.close()
        for name, (reader, writer) in streams.items():
            if not writer.is_closing() and writer.can_write_eof():
                writer.write_eof()
                rest = await asyncio.wait_for(reader.read(), PATIENCE)
                assert not rest, f"{dialogue.name}: connection {name or '1'} sent more: {rest!r}"
    finally:
        for _, writer in streams.values():
            writer.close()


async def _expect(reader: asyncio.StreamReader, text: str, where: str) -> None:
    if text.startswith("<until>"):
        wanted = pattern(text.removeprefix("<until>"))
        for _ in range(40):
            line = await asyncio.wait_for(reader.readline(), PATIENCE)
            assert line, f"{where}: expected {text!r}, but the connection was closed"
            if wanted.match(line.rstrip(b"\r\n").decode("utf-8", "backslashreplace")):
                return
        raise AssertionError(f"{where}: {text!r} did not come")
    try:
        line = await asyncio.wait_for(reader.readline(), PATIENCE)
    except TimeoutError:
        raise AssertionError(f"{where}: waited in vain for {text!r}") from None
    except ConnectionError:
        line = b""
    if text == "<closed>":
        assert line == b"", f"{where}: expected the end, got {line!r}"
        return
    assert line, f"{where}: expected {text!r}, but the connection was closed"
    assert line.endswith(b"\r\n"), f"{where}: {line!r} does not end in CRLF"
    got = line[:-2].decode("utf-8", "backslashreplace")
    assert pattern(text).match(got), f"{where}: expected {text!r}, got {got!r}"
