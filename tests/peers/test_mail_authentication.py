"""SPF, DKIM with programs that nobody here wrote: the suite of RFC 7208, pyspf, dkimpy both ways, OpenDKIM."""

import asyncio
import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import UNPACKED, program
from tests.support.dkim_keys import ed_key, name, pem, record, rsa_key
from tests.support.names import Names
from whimbrel.mail.auth.dkim.signing import Signing
from whimbrel.mail.auth.dkim.verification import Verifier
from whimbrel.mail.auth.spf.evaluation import check_host

PYTHON = "mailauth-python"
HEAD = (
    b"From: Alice <alice@example.test>\r\nTo: bob@b.test\r\nSubject:  Two   blanks\r\n\tand a fold\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n\r\n"
)
BODIES = [b"", b"\r\n", b"hello\r\n", b"a \t b  \r\n\r\n  \r\n\r\n", b" lead\r\n", b"x\r\n" * 500 + b"\r\n" * 70,
          "Grüße\r\n".encode(), b"a  " * 400 + b"\r\n"]  # fmt: skip


def peer(script: str, given: object) -> Any:
    """What a script prints as JSON, in the environment that has dkimpy and pyspf."""
    path = program(PYTHON)
    assert path is not None
    done = subprocess.run(
        [path, "-c", script], input=json.dumps(given), capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def zone_of(data: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Of the suite: SPF records stand for TXT where there are none."""
    zone: dict[str, list[Any]] = {}
    for owner, records in data.items():
        made = zone.setdefault(owner, [])
        pairs = [pair for each in records if not isinstance(each, str) for pair in each.items()]
        kinds = {kind for kind, _ in pairs}
        made += [each for each in records if isinstance(each, str)]
        for kind, value in pairs:
            if value == "NONE" or (kind == "SPF" and "TXT" in kinds):
                continue
            made.append(("TXT" if kind == "SPF" else kind, value))
    return zone


@cache
def suite() -> list[dict[str, Any]]:
    return list(json.loads((UNPACKED.parent / "mailauth" / "rfc7208.json").read_text(encoding="utf-8")))


@pytest.mark.peer(PYTHON)
def test_the_published_suite_of_rfc_7208() -> None:
    wrong, count = [], 0
    for document in suite():
        names = Names(zone_of(document["zonedata"]))
        for case, test in document["tests"].items():
            local, _, domain = (test.get("mailfrom") or f"postmaster@{test['helo']}").rpartition("@")
            outcome = asyncio.run(check_host(names, test["host"], domain, local=local, helo=test["helo"]))
            wanted = test["result"] if isinstance(test["result"], list) else [test["result"]]
            words = test.get("explanation")
            count += 1
            if outcome.result not in wanted or (words not in (None, "DEFAULT") and outcome.explanation != words):
                wrong.append((document["description"], case, wanted, outcome))
    assert not wrong
    assert count > 200


SPF = """
import json, socket, sys, spf
given = json.load(sys.stdin)
zone = {name.lower(): records for name, records in given["zone"].items()}
def look(name, kind, strict=True, timeout=None, level=0):
    for of, value in zone.get(name.rstrip(".").lower(), ()):
        if of == kind:
            if kind == "AAAA": value = socket.inet_pton(socket.AF_INET6, value)
            if kind == "TXT": value = (value.encode(),)
            if kind == "MX": value = (int(value.split()[0]), value.split()[1])
            yield (name, kind), value
spf.DNSLookup = look
print(json.dumps([spf.check2(i=ip, s=sender, h="mail.x.test", timeout=5)[0] for ip, sender in given["checks"]]))
"""


@pytest.mark.peer(PYTHON)
def test_pyspf_says_the_same() -> None:
    zone = {
        "a.test": [("TXT", "v=spf1 mx a:%{l}.u.test include:b.test ~all"), ("MX", "10 m.a.test")],
        "m.a.test": [("A", "192.0.2.1"), ("AAAA", "2001:db8::1")],
        "ann.u.test": [("A", "192.0.2.9")],
        "b.test": [("TXT", "v=spf1 ip4:198.51.100.0/24 exists:%{ir}.list.test -all")],
        "7.113.0.203.list.test": [("A", "127.0.0.2")],
        "c.test": [("TXT", "v=spf1 redirect=b.test")],
        "d.test": [("TXT", "v=spf1 -all"), ("TXT", "v=spf1 +all")],
        "e.test": [("TXT", "v=spf1 a:x.test a:y.test a:z.test -all")],
    }
    checks = [
        (ip, f"{local}@{domain}")
        for ip in ("192.0.2.1", "192.0.2.9", "198.51.100.7", "203.0.113.7", "2001:db8::1", "192.0.2.200")
        for local in ("ann", "bob")
        for domain in ("a.test", "b.test", "c.test", "d.test", "nothing.test")
    ]
    theirs = peer(SPF, {"zone": zone, "checks": checks})
    ours = []
    for ip, sender in checks:
        local, _, domain = sender.partition("@")
        ours.append(asyncio.run(check_host(Names(zone), ip, domain, local=local, helo="mail.x.test")).result)
    assert ours == theirs


VERIFY = """
import json, sys, dkim
given = json.load(sys.stdin)
def txt(name, timeout=5): return given["zone"].get(name.decode().rstrip("."), "").encode()
def each(text):
    verifier = dkim.DKIM(text.encode("latin-1"))
    def holds(idx):
        try: return verifier.verify(idx, dnsfunc=txt)
        except dkim.DKIMException: return False
    return [holds(idx) for idx in range(given["signatures"])]
print(json.dumps([each(text) for text in given["messages"]]))
"""
SIGN = """
import json, sys, dkim
given = json.load(sys.stdin)
out = []
for text in given["messages"]:
    for forms in ((a, b) for a in (b"relaxed", b"simple") for b in (b"relaxed", b"simple")):
        message = text.encode("latin-1")
        key = given["pem"].encode()
        out.append((dkim.sign(message, b"r", b"example.test", key, canonicalize=forms) + message).decode("latin-1"))
print(json.dumps(out))
"""


def signed(message: bytes) -> bytes:
    signing = Signing()
    signing.feed(message)
    return signing.fields([rsa_key(), ed_key()], 1_700_000_000) + message


def zone() -> dict[str, str]:
    return {name(key): record(key) for key in (rsa_key(), ed_key())}


@pytest.mark.peer(PYTHON)
def test_dkimpy_verifies_what_we_sign() -> None:
    messages = [signed(HEAD + body) for body in BODIES]
    given = {"zone": zone(), "signatures": 2, "messages": [message.decode("latin-1") for message in messages]}
    assert peer(VERIFY, given) == [[True, True]] * len(BODIES)
    broken = messages[2].replace(b"hello", b"hallo").decode("latin-1")
    assert peer(VERIFY, {**given, "messages": [broken]}) == [[False, False]]


@pytest.mark.peer(PYTHON)
def test_we_verify_what_dkimpy_signs() -> None:
    texts = [(HEAD + body).decode("latin-1") for body in BODIES]
    for text in peer(SIGN, {"pem": pem(rsa_key()).decode(), "messages": texts}):
        message = text.encode("latin-1")
        head, _, body = message.partition(b"\r\n\r\n")
        verifier = Verifier(head + b"\r\n", now=2_000_000_000)
        verifier.feed(body)
        names = Names({owner: [("TXT", value)] for owner, value in zone().items()})
        assert [each.result for each in asyncio.run(verifier.results(names))] == ["pass"], message


@pytest.mark.peer("opendkim")
@pytest.mark.parametrize("body", [body for body in BODIES if body])
def test_opendkim_verifies_what_we_sign(tmp_path: Path, body: bytes) -> None:
    path = program("opendkim")
    assert path is not None
    message, config, keys = tmp_path / "m.eml", tmp_path / "opendkim.conf", tmp_path / "keys"
    keys.write_text("".join(f"{owner} {text}\n" for owner, text in zone().items()))
    config.write_text(f"Mode v\nTestPublicKeys {keys}\nSyslog no\n")
    message.write_bytes(signed(HEAD + body))
    done = subprocess.run(
        [path, "-x", str(config), "-t", str(message), "-v", "-v"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "header.a=rsa-sha256" in done.stdout and done.stdout.count("dkim=pass") == 2, done.stdout


@pytest.mark.peer("opendkim-testmsg")
def test_signatures_with_sha_1_count_for_nothing(tmp_path: Path) -> None:
    """RFC 8301 3.1; OpenDKIM's tool still makes them."""
    path = program("opendkim-testmsg")
    assert path is not None
    key = tmp_path / "key.pem"
    key.write_bytes(pem(rsa_key()))
    key.chmod(0o600)
    command = [path, "-d", "example.test", "-s", "r", "-k", str(key), "-C"]
    done = subprocess.run(command, input=HEAD + b"hello\r\n", capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert b"a=rsa-sha1" in done.stdout
    head, _, rest = done.stdout.partition(b"\r\n\r\n")
    verifier = Verifier(head + b"\r\n", now=2_000_000_000)
    verifier.feed(rest)
    names = Names({name(rsa_key()): [("TXT", record(rsa_key()))]})
    assert [each.result for each in asyncio.run(verifier.results(names))] == ["policy"]
