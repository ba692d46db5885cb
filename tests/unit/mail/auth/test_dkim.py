"""DKIM: what verifies, what does not, and that neither pieces nor floods matter."""

import asyncio
from base64 import b64encode
from hashlib import sha256
from itertools import count

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.dkim_keys import ed_key, name, record, rsa, rsa_key
from tests.support.names import TIMEOUT, Names
from whimbrel.mail.auth.dkim.canonical import BodyHash, digest_of, field
from whimbrel.mail.auth.dkim.signing import Signing, SigningKey
from whimbrel.mail.auth.dkim.verification import MAX_SIGNATURES, Verified, Verifier

NOW = 1_800_000_000.0
HEAD = (
    b"From: Alice <alice@example.test>\r\nTo: bob@b.test\r\nSubject:  Two   blanks\r\n\tand a fold\r\n"
    b"Date: Tue, 24 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@example.test>\r\n"
)
MAIL = HEAD + b"\r\nHello  \r\n\r\n \tworld\r\n\r\n\r\n"
RFC8463 = b"""DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game.  Are you hungry yet?

Joe.
""".replace(b"\n", b"\r\n")


def sign(message: bytes, *keys: SigningKey, piece: int = 1 << 20) -> bytes:
    signing = Signing()
    for start in range(0, len(message), piece):
        signing.feed(message[start : start + piece])
    return signing.fields(keys or (rsa_key(), ed_key()), NOW) + message


def names_of(*keys: SigningKey, more: str = "") -> Names:
    names = Names()
    for key in keys or (rsa_key(), ed_key()):
        names.add(name(key), "TXT", record(key, more))
    return names


def verify(
    message: bytes, names: Names | None = None, *, now: float = NOW, prefer: str = "", piece: int = 1 << 20
) -> list[Verified]:
    head, _, body = message.partition(b"\r\n\r\n")
    verifier = Verifier(head + b"\r\n", now=now, prefer=prefer)
    for start in range(0, len(body), piece):
        verifier.feed(body[start : start + piece])
    return asyncio.run(verifier.results(names or names_of()))


def results(message: bytes, names: Names | None = None, **given: float) -> list[str]:
    return [verified.result for verified in verify(message, names, **given)]  # type: ignore[arg-type]


def test_the_sample_of_the_standard_verifies() -> None:
    names = Names({"brisbane._domainkey.football.example.com": [
        ("TXT", "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")]})  # fmt: skip
    assert results(RFC8463, names, now=1528637910) == ["pass"]
    assert results(RFC8463.replace(b"dinner", b"lunch"), names, now=1528637910) == ["fail"]


def test_both_signatures_verify() -> None:
    made = verify(sign(MAIL))
    assert [(one.result, one.domain, one.selector, one.algorithm) for one in made] == [
        ("pass", "example.test", "r", "rsa-sha256"),
        ("pass", "example.test", "e", "ed25519-sha256"),
    ]
    assert all(len(line) <= 78 for line in sign(MAIL).partition(b"From:")[0].split(b"\r\n"))


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (b"Hello", b"Hallo", "fail"),
        (b"world\r\n", b"world\r\nand more\r\n", "fail"),
        (b"Two", b"Three", "fail"),
        (b"To: bob", b"To: eve", "fail"),
        (b"From: Alice", b"From: Boss <boss@example.test>\r\nFrom: Alice", "fail"),  # A second From.
        (b"Two   blanks\r\n\tand", b"Two blanks and", "pass"),  # Relaxed.
        (b"world\r\n", b"world\t \r\n\r\n\r\n", "pass"),
        (b"\tworld", b" world", "pass"),
    ],
)
def test_a_change_is_seen(old: bytes, new: bytes, result: str) -> None:
    assert results(sign(MAIL).replace(old, new)) == [result, result]


@pytest.mark.parametrize(
    "added",
    [
        b"Sender: x@list.test\r\n",
        b"List-Id: <x.list.test>\r\n",
        b"Received: by x\r\n",
        b"Reply-To: list@list.test\r\n",
        b"X-Anything: y\r\n",
        b"Return-Path: <x@y.test>\r\n",
    ],
)
def test_fields_that_servers_add_break_nothing(added: bytes) -> None:
    assert results(added + sign(MAIL)) == ["pass", "pass"]
    assert results(sign(MAIL).replace(b"From: Alice", added + b"From: Alice")) == ["pass", "pass"]


def test_what_one_click_unsubscribing_needs_is_signed() -> None:
    post = b"List-Unsubscribe: <https://x.test/u>\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    signed = sign(post + MAIL)
    assert results(signed) == ["pass", "pass"]
    assert results(signed.replace(b"x.test/u", b"y.test/u")) == ["fail", "fail"]


@pytest.mark.parametrize(
    ("text", "result"),
    [
        (record(rsa_key()), "pass"),
        (record(rsa_key()).replace("v=DKIM1; k=rsa; ", ""), "pass"),
        (record(rsa_key(bits=1024)), "fail"),
        (record(rsa_key(), "h=sha1; "), "permerror"),
        (record(rsa_key(), "h=sha1:sha256; "), "pass"),
        (record(rsa_key(), "s=tlsrpt; "), "permerror"),
        (record(rsa_key(), "s=*; "), "pass"),
        (record(rsa_key(), "t=y; "), "neutral"),
        (record(rsa_key(), "t=s; "), "pass"),
        (record(rsa_key()).replace("DKIM1", "DKIM2"), "permerror"),
        (record(ed_key()), "permerror"),
        ("v=DKIM1; p=", "permerror"),
        ("v=DKIM1; p=AAAA", "permerror"),
        ("v=spf1 -all", "permerror"),
        ("p=x; p=y", "permerror"),
        (TIMEOUT, "temperror"),
    ],
    ids=count(),  # Keys are made anew in each process: they can be no names of tests.
)  # fmt: skip
def test_a_key_record_is_obeyed(text: str, result: str) -> None:
    names = Names()
    names.add("r._domainkey.example.test", "TXT", text)
    assert results(sign(MAIL, rsa_key()), names) == [result]


def test_a_key_without_its_algorithm_is_read() -> None:
    bare = rsa(2048).public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    names = Names({"r._domainkey.example.test": [("TXT", f"p={b64encode(bare).decode()}")]})
    assert results(sign(MAIL, rsa_key()), names) == ["pass"]


def test_short_keys_are_refused() -> None:
    short = rsa_key(bits=1024)
    assert results(sign(MAIL, short), names_of(short)) == ["pass"]  # RFC 8301 3.2: no less.
    numbers = RSAPublicNumbers(65537, (1 << 1022) + 1).public_key()
    octets = numbers.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    names = Names({"r._domainkey.example.test": [("TXT", f"p={b64encode(octets).decode()}")]})
    (made,) = verify(sign(MAIL, short), names)
    assert (made.result, made.reason) == ("policy", "the key has only 1023 bits")


def tag(message: bytes, old: bytes, new: bytes) -> bytes:
    """Another tag in the signature; what else it says is then not signed any more, and need not be."""
    head, colon, rest = message.partition(b"From: Alice")
    assert old in head
    return head.replace(old, new, 1) + colon + rest


@pytest.mark.parametrize(
    ("old", "new", "result"),
    [
        (b"v=1", b"v=2", "neutral"),
        (b"v=1; ", b"", "neutral"),
        (b"a=rsa-sha256", b"a=rsa-sha1", "policy"),
        (b"h=from:from:", b"h=", "permerror"),
        (b"d=example.test", b"d=example.test; d=example.test", "neutral"),
        (b"d=example.test", b"d=example.test; i=@evil.test", "neutral"),
        (b"d=example.test", b"d=example.test; x=1700000000", "neutral"),
        (b"t=1800000000", b"x=1700000000", "fail"),
        (b"t=1800000000", b"t=1800009999", "policy"),
        (b"t=1800000000", b"t=soon", "neutral"),
        (b"d=example.test", b"d=example.test; q=http", "neutral"),
        (b"c=relaxed/relaxed", b"c=loose", "neutral"),
        (b"b=", b"b=!", "neutral"),
        (b"s=r;", b"s=unknown;", "permerror"),
        (b"d=example.test", b"d=", "neutral"),
    ],
)
def test_an_unusable_signature_says_why(old: bytes, new: bytes, result: str) -> None:
    made = verify(tag(sign(MAIL, rsa_key()), old, new))
    assert [(one.result, bool(one.reason)) for one in made] == [(result, True)]


def test_l_lends_no_proof_to_what_was_added() -> None:
    """RFC 6376 8.2: a signature with l= over the whole body holds; over its beginning it does not."""
    key = rsa_key()
    body = b"Hello\r\n"
    raw = (b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.test; s=r; h=from; l=7;\r\n\tbh="
           + b64encode(sha256(body).digest()) + b";\r\n\tb=")  # fmt: skip
    hashed = field(b"From: alice@example.test\r\n", relaxed=True) + field(raw + b"\r\n", relaxed=True)[:-2]
    signed = raw + b64encode(key.sign(sha256(hashed).digest())) + b"\r\nFrom: alice@example.test\r\n\r\n" + body
    assert results(signed) == ["pass"]
    assert results(signed + b"Buy now\r\n") == ["fail"]


def test_a_flood_of_signatures_costs_little_and_hides_nothing() -> None:
    noise = b"".join(
        b"DKIM-Signature: v=1; a=rsa-sha256; d=n%d.test; s=s; h=from; bh=AAAA; b=AAAA\r\n" % n for n in range(200)
    )
    names = names_of()
    made = verify(noise + sign(MAIL), names, prefer="mail.example.test")
    assert len(made) == MAX_SIGNATURES
    assert [one.domain for one in made if one.result == "pass"] == ["example.test", "example.test"]
    assert len([asked for asked in names.asked if asked[1] == "TXT"]) <= MAX_SIGNATURES


def test_a_message_without_from_or_without_end_is_not_signed() -> None:
    assert sign(b"Subject: x\r\n\r\nx\r\n") == b"Subject: x\r\n\r\nx\r\n"
    endless = b"From: a@example.test\r\n" + b"X: y\r\n" * 200_000
    assert sign(endless, piece=65536) == endless


def test_a_header_without_body_is_signed_as_one_with_an_empty_body() -> None:
    assert results(sign(HEAD + b"\r\n")) == ["pass", "pass"]


PIECES = st.lists(
    st.sampled_from([b"a", b" ", b"\t", b"\r\n", b"\r", b"\n", b"  ", b"\r\n\r\n", b" \r\n", b"b" * 70, b" " * 130])
).map(b"".join)


def plain_form(body: bytes, *, relaxed: bool) -> bytes:
    """By the letter of 3.4.3 and 3.4.4, line by line."""
    lines = body.split(b"\r\n")
    last = lines.pop()
    out = []
    for line in [*lines, *([last] if last else [])]:
        if relaxed:
            line = line.replace(b"\t", b" ")
            while b"  " in line:
                line = line.replace(b"  ", b" ")
            line = line.rstrip(b" ")
        out.append(line)
    while out and not out[-1]:
        out.pop()
    if not out and relaxed:
        return b""
    return b"\r\n".join(out) + b"\r\n"


@given(PIECES, st.integers(1, 9), st.booleans())
def test_any_chunking_gives_the_form_of_the_standard(body: bytes, size: int, relaxed: bool) -> None:
    form = BodyHash(relaxed=relaxed)
    for start in range(0, len(body), size):
        form.feed(body[start : start + size])
    assert form.digest() == sha256(plain_form(body, relaxed=relaxed)).digest()
    assert digest_of(body, relaxed=relaxed) == sha256(plain_form(body, relaxed=relaxed)).digest()


@settings(deadline=None)
@given(PIECES, st.integers(1, 50))
def test_what_is_signed_verifies_however_it_comes(body: bytes, size: int) -> None:
    key = ed_key()
    assert results(sign(HEAD + b"\r\n" + body, key, piece=size), names_of(key)) == ["pass"]


@pytest.mark.parametrize("line", [b" ", b"\r\n", b" \r\n", b"\t", b"a  ", b"\r", b"\n", b"x"])
def test_ten_megabytes_of_anything_end_soon(line: bytes) -> None:
    """Were it not linear it would not end."""
    form, data = BodyHash(relaxed=True), line * (65536 // len(line))
    for _ in range(160):
        form.feed(data)
    assert len(form._held) <= 2
    form.digest()


@given(
    st.lists(
        st.sampled_from(
            [
                b"v=1",
                b";",
                b"=",
                b"a=rsa-sha256",
                b"b=",
                b"bh=AAAA",
                b"d=example.test",
                b"s=r",
                b"h=from:to",
                b"l=99",
                b" ",
                b"\r\n ",
                b"i=@x",
                b"x=1",
                b"t=2",
                b"\xc3\xa4",
                b"\xff",
                b"c=/",
                b":",
                b"AAAA",
            ]
        )
    ).map(b"".join)
)
def test_no_signature_raises(text: bytes) -> None:
    made = verify(b"DKIM-Signature: " + text + b"\r\nFrom: a@example.test\r\n\r\nx\r\n")
    assert all(one.result != "pass" for one in made)
