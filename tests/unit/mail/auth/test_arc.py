"""ARC: a chain that holds, and how each link can break."""

import asyncio
from base64 import b64encode
from hashlib import sha256

import pytest

from tests.support.dkim_keys import ed_key, name, record, rsa_key
from tests.support.names import TIMEOUT, Names
from whimbrel.mail.auth.arc import MOST_VERIFIED, ArcVerifier, Chain
from whimbrel.mail.auth.dkim.canonical import digest_of, field
from whimbrel.mail.auth.dkim.signing import SigningKey

MAIL = b"From: ann@b.test\r\nSubject: x\r\n\r\nhello\r\n"


def sealed(
    message: bytes, key: SigningKey, sets: list[tuple[bytes, bytes, bytes]], *, cv: str = "", results: bytes = b""
) -> bytes:
    """With one set more; `sets` are those that it has."""
    number = len(sets) + 1
    header, _, body = message.partition(b"\r\n\r\n")
    own = {line.partition(b":")[0].lower(): line + b"\r\n" for line in header.split(b"\r\n") if b"ARC-" not in line[:4]}
    results = b"ARC-Authentication-Results: i=%d; %b\r\n" % (number, results or b"mx%d.test; spf=pass" % number)
    algorithm = key.algorithm.encode()
    tags = b"a=%b; d=%b; s=%b; " % (algorithm, key.domain.encode(), key.selector.encode())
    digest = b64encode(digest_of(body, relaxed=True))
    raw = b"ARC-Message-Signature: i=%d; %bc=relaxed/relaxed; h=from:subject; bh=%b; b=" % (number, tags, digest)
    hashed = b"".join(field(own[part], relaxed=True) for part in (b"from", b"subject"))
    hashed += field(raw + b"\r\n", relaxed=True).removesuffix(b"\r\n")
    signature = raw + b64encode(key.sign(sha256(hashed).digest())) + b"\r\n"
    raw = b"ARC-Seal: i=%d; %bcv=%b; b=" % (number, tags, (cv or ("none" if number == 1 else "pass")).encode())
    hashed = b"".join(field(part, relaxed=True) for each in sets for part in each)
    hashed += field(results, relaxed=True) + field(signature, relaxed=True)
    hashed += field(raw + b"\r\n", relaxed=True).removesuffix(b"\r\n")
    seal = raw + b64encode(key.sign(sha256(hashed).digest())) + b"\r\n"
    sets.append((results, signature, seal))
    return seal + signature + results + message


def chain_of(message: bytes, names: Names | None = None) -> Chain:
    if names is None:
        names = Names()
        for key in (rsa_key("first.test"), ed_key("second.test")):
            names.add(name(key), "TXT", record(key))
    header, _, body = message.partition(b"\r\n\r\n")
    verifier = ArcVerifier(header + b"\r\n")
    verifier.feed(body)
    return asyncio.run(verifier.chain(names))


def two() -> bytes:
    sets: list[tuple[bytes, bytes, bytes]] = []
    return sealed(sealed(MAIL, rsa_key("first.test"), sets), ed_key("second.test"), sets)


def test_a_chain_of_two_holds() -> None:
    assert chain_of(MAIL) == Chain("none")
    assert chain_of(two()) == Chain("pass", "", ("second.test", "first.test"), b"mx2.test; spf=pass")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"hello", b"hallo"),
        (b"Subject: x", b"Subject: y"),
        (b"mx1.test; spf=pass", b"mx1.test; spf=fail"),
        (b"mx2.test; spf=pass", b"mx2.test; spf=fail"),
        (b"cv=none", b"cv=pass"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=3"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=2"),
        (b"ARC-Seal: i=1", b"ARC-Seal: i=0"),
        (b"ARC-Seal: i=1", b"X-Seal: i=1"),
        (b"d=first.test", b"d=third.test"),
        (b"h=from:subject", b"h=subject"),
        (b"ARC-Seal: i=2; a=ed25519-sha256", b"ARC-Seal: i=2; a=rsa-sha1"),
    ],
)
def test_a_broken_link_is_seen(old: bytes, new: bytes) -> None:
    message = two()
    assert old in message
    made = chain_of(message.replace(old, new, 1))
    assert made.result == "fail" and made.reason and not made.sealers


def test_a_chain_that_had_failed_stays_failed() -> None:
    sets: list[tuple[bytes, bytes, bytes]] = []
    first = sealed(MAIL, rsa_key("first.test"), sets)
    assert chain_of(sealed(first, ed_key("second.test"), sets, cv="fail")).result == "fail"


def test_a_name_server_that_is_down_is_no_verdict() -> None:
    names = Names({name(ed_key("second.test")): [TIMEOUT]})
    assert chain_of(two(), names).result == "temperror"


def test_long_chains_are_not_verified() -> None:
    flood = b"".join(
        b"ARC-Seal: i=%d; x=y\r\nARC-Message-Signature: i=%d; x=y\r\nARC-Authentication-Results: i=%d; x\r\n"
        % (n, n, n)
        for n in range(1, MOST_VERIFIED + 2)
    )
    names = Names()
    assert chain_of(flood + MAIL, names).result == "fail"
    assert names.asked == []
