"""BINARY and BODY say the same of every mail, and large parts come out as small ones do."""

import asyncio
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.services.imapd.house import House
from whimbrel.mail.decoding.encoded import Decoder, content
from whimbrel.mail.scan import scan
from whimbrel.mail.structure.mime import LEAF
from whimbrel.mail.structure.parts import Node, Structure
from whimbrel.protocols.imap.binary import BinarySection
from whimbrel.services.imapd.binary import UnknownEncoding, decoded, target, transfer_encoding


def numbers(node: Node, at: tuple[int, ...] = ()) -> list[tuple[int, ...]]:
    if node.kind == LEAF:
        return [at or (1,)]
    if node.kind == 2:
        return [at or (1,)]
    return [found for place, child in enumerate(node.children, 1) for found in numbers(child, (*at, place))]


@pytest.mark.corpus
def test_binary_is_the_decoded_body_of_every_part(corpus: dict[str, bytes]) -> None:
    for name, message in corpus.items():
        structure = Structure.unpack(scan(message).parts)
        for part in numbers(structure.root):
            found = target(BinarySection(part), structure)
            body = structure.find(part, "")
            assert found is not None and body is not None, name
            assert found.span == body, name
            if found.header is None:
                continue
            try:
                encoding = transfer_encoding(message[found.header.start : found.header.stop])
            except UnknownEncoding:
                continue
            assert decoded(found, message) == content(message[body.start : body.stop], encoding), name


@pytest.mark.corpus
def test_pieces_of_any_size_decode_to_the_same(corpus: dict[str, bytes]) -> None:
    for name, message in list(corpus.items())[:60]:
        body = message[:30_000]
        for encoding in (b"base64", b"quoted-printable", b"7bit"):
            decoder = Decoder(encoding)
            out = b"".join(decoder.feed(body[at : at + 997]) for at in range(0, len(body), 997)) + decoder.finish()
            assert out == content(body, encoding), (name, encoding)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.sampled_from([b"QUJD", b"Q", b"=", b"==", b"\r\n", b"=\r\n", b"=4", b"1", b" ", b"-", b"\xff"])),
    st.integers(1, 5),
    st.sampled_from([b"base64", b"quoted-printable"]),
)
def test_a_decoder_does_not_care_for_pieces(pieces: list[bytes], size: int, encoding: bytes) -> None:
    data = b"".join(pieces)
    decoder = Decoder(encoding)
    out = b"".join(decoder.feed(data[at : at + size]) for at in range(0, len(data), size)) + decoder.finish()
    assert out == content(data, encoding)


@pytest.mark.parametrize("size", [100, 300_000])
def test_a_large_part_comes_decoded_whole_and_in_ranges(size: int) -> None:
    async def run() -> None:
        async with House() as house:
            line = b"=00=FFabc" * 8 + b"=\r\n"
            body = line * (size // len(line) + 1)
            plain = content(body, b"quoted-printable")
            await house.deliver(b"Content-Transfer-Encoding: quoted-printable\r\n\r\n" + body)
            client = await house.signed_in(b"EXAMINE INBOX")
            answer = await client.ask(b"FETCH 1 (BINARY.SIZE[1])")
            assert answer == b"* 1 FETCH (BINARY.SIZE[1] %d)\r\n" % len(plain)
            answer = await client.ask(b"FETCH 1 (BINARY[1])")
            assert answer == b"* 1 FETCH (BINARY[1] ~{%d}\r\n%b)\r\n" % (len(plain), plain)
            answer = await client.ask(b"FETCH 1 (BINARY[1]<50.20>)")
            assert answer == b"* 1 FETCH (BINARY[1]<50> ~{20}\r\n%b)\r\n" % plain[50:70]

    asyncio.run(run())


def test_no_plain_literal_holds_nul() -> None:
    async def run() -> None:
        async with House() as house:
            await house.deliver(b"Subject: x\r\n\r\na\0b\r\n")
            await house.deliver(b"Subject: x\r\n\r\n" + b"a\0b\r\n" * 20_000)
            client = await house.signed_in(b"EXAMINE INBOX")
            answer = await client.ask(b"FETCH 1:2 (BODY.PEEK[])")
            assert b"\0" not in answer
            assert [int(size) for size in re.findall(rb"\{(\d+)\}", answer)] == [19, 100_014]

    asyncio.run(run())


def test_a_multiappend_has_a_bound() -> None:
    async def run() -> None:
        async with House() as house:
            client = await house.signed_in()
            answer = await client.say(b"b APPEND INBOX {4+}", *[b"a: b {4+}"] * 256, b"a: b")
            assert answer.startswith(b"b NO [LIMIT] "), answer[:200]
            answer = await client.ask(b"STATUS INBOX (MESSAGES)")
            assert b"MESSAGES 0" in answer

    asyncio.run(run())
