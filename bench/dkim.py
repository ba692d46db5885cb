"""DKIM on one core: signing and verifying with RSA-2048, relaxed/relaxed, against dkimpy.

CPU time is measured, so that what else the machine does counts little. dkimpy runs in the environment that `make peers`
makes; both hash the same message and get the key from memory.
"""

import asyncio
import json
import subprocess
import time
from collections.abc import Callable

from bench.report import Line, ratio, spread
from tests.conftest import program
from tests.support.dkim_keys import name, pem, record, rsa_key
from tests.support.names import Names
from whimbrel.mail.auth.dkim.signing import Signing
from whimbrel.mail.auth.dkim.verification import Verifier

SIZES = {"2 KiB": 2048, "50 KiB": 50 * 1024, "1 MiB": 1 << 20}
SECONDS = 1.0
HEAD = (
    b"From: Alice <alice@example.test>\r\nTo: bob@b.test\r\nSubject: A message to sign\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n"
)
LINE = b"The quick brown fox  jumps over the lazy dog, again and again and again.\r\n"
_PEER = """
import json, sys, time, dkim
given = json.load(sys.stdin)
message, key, record = given["message"].encode(), given["pem"].encode(), given["record"].encode()
def rate(work):
    count, start = 0, time.process_time()
    while time.process_time() - start < given["seconds"]:
        work()
        count += 1
    return count / (time.process_time() - start)
signed = dkim.sign(message, b"r", b"example.test", key, canonicalize=(b"relaxed", b"relaxed")) + message
def sign(): dkim.sign(message, b"r", b"example.test", key, canonicalize=(b"relaxed", b"relaxed"))
def verify(): assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: record)
print(json.dumps([rate(sign), rate(verify)]))
"""


def message_of(size: int) -> bytes:
    return (HEAD + LINE * (size // len(LINE) + 1))[: size - 2] + b"\r\n"


def rate(work: Callable[[], object]) -> float:
    """Times a second."""
    count, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        work()
        count += 1
    return count / (time.process_time() - start)


def ours(message: bytes) -> tuple[float, float]:
    key, names = rsa_key(), Names({name(rsa_key()): [("TXT", record(rsa_key()))]})

    def sign() -> bytes:
        signing = Signing()
        signing.feed(message)
        return signing.fields([key], 1_700_000_000)

    signed = sign() + message
    end = signed.index(b"\r\n\r\n") + 2
    loop = asyncio.new_event_loop()

    def verify() -> None:
        verifier = Verifier(signed[:end], now=1_700_000_001)
        verifier.feed(signed[end + 2 :])
        (result,) = loop.run_until_complete(verifier.results(names))
        assert result.result == "pass"

    figures = rate(sign), rate(verify)
    loop.close()
    return figures


def theirs(message: bytes) -> tuple[float, float]:
    path = program("mailauth-python")
    if path is None:
        raise SystemExit("bench dkim needs dkimpy: make peers")
    given = {
        "message": message.decode(),
        "pem": pem(rsa_key()).decode(),
        "record": record(rsa_key()),
        "seconds": SECONDS,
    }
    done = subprocess.run([path, "-c", _PEER], input=json.dumps(given), capture_output=True, text=True, check=True)
    signing, verifying = json.loads(done.stdout)
    return signing, verifying


def measure(rounds: int = 5) -> list[Line]:
    lines: list[Line] = []
    for words, size in SIZES.items():
        message = message_of(size)
        pairs = [(ours(message), theirs(message)) for _ in range(rounds)]
        for at, what in enumerate(("signing", "verifying")):
            own, peer = [pair[0][at] for pair in pairs], [pair[1][at] for pair in pairs]
            if not at and size == SIZES["2 KiB"]:
                text = spread(own, ".0f")
                lines.append(
                    Line(
                        f"DKIM {what} {words}, RSA-2048, a second", text, "-", sorted(own)[len(own) // 2], 3000, unit=""
                    )
                )
            lines.append(
                Line(f"DKIM {what} {words}, dkimpy", spread(own, ".0f"), spread(peer, ".0f"), ratio(own, peer), 1.0)
            )
    return lines
