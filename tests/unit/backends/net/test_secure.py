"""TLS over bytes: any chunking, any ending, nothing held twice, no failure that is an exception."""

import ssl

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.certs import certificates
from whimbrel.backends.net.secure import PIECE, STEP, Secure

FILES = certificates("localhost")
SERVER, CLIENT = FILES.server(), FILES.client()


class Client:
    """The other end, in memory."""

    def __init__(self, context: ssl.SSLContext = CLIENT) -> None:
        self.input, self.output = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.input, self.output, server_hostname="localhost")

    def shake(self) -> bytes:
        try:
            self.tls.do_handshake()
        except ssl.SSLWantReadError:
            pass
        return self.output.read()

    def says(self, data: bytes) -> bytes:
        sent = 0
        while sent < len(data):
            sent += self.tls.write(memoryview(data)[sent:])
        return self.output.read()

    def hears(self, data: bytes) -> bytes:
        self.input.write(data)
        heard = b""
        try:
            while piece := self.tls.read(65536):
                heard += piece
        except (ssl.SSLWantReadError, ssl.SSLZeroReturnError):
            pass
        return heard


def fed(secure: Secure, data: bytes, size: int = STEP) -> bytes:
    return b"".join(secure.feed(data[at : at + size]) for at in range(0, len(data), size))


def shaken(size: int = STEP, context: ssl.SSLContext = CLIENT, early: bytes = b"") -> tuple[Secure, Client, bytes]:
    """Both ends after the handshake, and what the server got of `early`, sent with the handshake's end."""
    secure, client = Secure(SERVER), Client(context)
    assert fed(secure, client.shake(), size) == b"" and not secure.established
    client.input.write(secure.outgoing())
    last = client.shake()
    if context.maximum_version == ssl.TLSVersion.TLSv1_2:
        assert fed(secure, last, size) == b""
        client.input.write(secure.outgoing())
        last = client.shake()
    got = fed(secure, last + client.says(early), size)
    assert secure.established and not secure.failure
    assert client.hears(secure.outgoing()) == b""
    return secure, client, got


def old() -> ssl.SSLContext:
    context = FILES.client()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    return context


@pytest.mark.parametrize("size", [1, 5, 1000, STEP])
@pytest.mark.parametrize("context", [CLIENT, old()], ids=["1.3", "1.2"])
def test_any_chunking_of_the_handshake_will_do_and_what_comes_with_its_end_is_not_lost(
    size: int, context: ssl.SSLContext
) -> None:
    secure, client, got = shaken(size, context, b"EHLO early\r\n")
    assert got == b"EHLO early\r\n"
    assert secure.info.version == client.tls.version() and secure.info.bits >= 128
    secure.hold(b"250 here\r\n")
    assert client.hears(secure.sealed()) == b"250 here\r\n" and secure.held == 0


@settings(max_examples=30, deadline=None)
@given(st.lists(st.binary(max_size=40_000), max_size=5), st.integers(1, STEP))
def test_all_that_is_said_is_heard_in_any_pieces(words: list[bytes], size: int) -> None:
    secure, client, _ = shaken()
    size = max(size, 50)
    said = b"".join(words)
    assert fed(secure, b"".join(client.says(word) for word in words), size) == said
    for word in words:
        secure.hold(word)
    assert secure.held == len(said)
    heard = b""
    while secure.held:
        before = secure.held
        heard += client.hears(secure.sealed())
        assert before - secure.held == min(before, STEP)
    assert heard == said


def test_no_piece_is_larger_than_a_bio_may_stay() -> None:
    secure, client, _ = shaken()
    sizes: list[int] = []

    class Watched:
        def __init__(self, bio: ssl.MemoryBIO) -> None:
            self.bio = bio

        @property
        def pending(self) -> int:
            return self.bio.pending

        def write(self, data: bytes) -> int:
            sizes.append(len(data))
            return self.bio.write(data)

        def read(self) -> bytes:
            data = self.bio.read()
            sizes.append(len(data))
            return data

    secure._in = Watched(secure._in)  # type: ignore[assignment]
    secure._out = Watched(secure._out)  # type: ignore[assignment]
    assert len(secure.feed(client.says(b"x" * 50_000))) == 50_000
    secure.hold(b"y" * 50_000)
    assert len(client.hears(secure.sealed())) == 50_000
    assert len(sizes) > 20 and max(sizes) <= PIECE + 100


def test_a_body_is_held_as_it_is() -> None:
    secure, _, _ = shaken()
    body = b"z" * 1_000_000
    secure.hold(body)
    assert secure._held[0] is body
    assert len(secure.sealed()) < STEP + 1000 and secure._held[0] is body


def test_a_close_notify_is_an_end_and_nothing_counts_after_it() -> None:
    secure, client, _ = shaken()
    last = client.says(b"QUIT\r\n")
    with pytest.raises(ssl.SSLWantReadError):
        client.tls.unwrap()
    assert secure.feed(last + client.output.read()) == b"QUIT\r\n"
    assert secure.ended and not secure.failure
    assert secure.feed(b"more") == b"" and not secure.failure
    secure.hold(b"221 Bye\r\n")  # RFC 8446 6.1: each direction ends by itself.
    answer = secure.sealed() + secure.close()
    assert client.hears(answer) == b"221 Bye\r\n"
    assert secure.close() == b""


def test_our_close_notify_tells_the_peer_that_it_got_everything() -> None:
    secure, client, _ = shaken()
    client.input.write(secure.close())
    client.input.write_eof()
    try:
        assert client.tls.read(10) == b""
    except ssl.SSLZeroReturnError:
        pass


@pytest.mark.parametrize("garbage", [b"EHLO client.example\r\n", b"\x00" * 500, b"\x16\x03\x01\xff\xff" + b"\xff" * 99])
def test_garbage_instead_of_a_handshake_is_a_failure_with_an_alert_at_most(garbage: bytes) -> None:
    secure = Secure(SERVER)
    assert secure.feed(garbage) == b""
    assert secure.failure and not secure.established
    assert len(secure.outgoing()) <= 7 and secure.close() == b""
    assert secure.feed(Client().shake()) == b"" and secure.outgoing() == b""


def test_a_client_hello_without_end_is_bounded() -> None:
    secure = Secure(SERVER)
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\xff" + b"\x03\x03" + b"\x00" * (16384 - 6)
    fed(secure, record)
    for _ in range(20):
        if secure.failure:
            break
        fed(secure, b"\x16\x03\x01\x40\x00" + b"\x00" * 16384)
    assert secure.failure


def test_a_forged_record_ends_it_but_what_came_before_is_told() -> None:
    secure, client, _ = shaken()
    good, bad = client.says(b"good\r\n"), bytearray(client.says(b"bad\r\n"))
    bad[-1] ^= 1
    assert secure.feed(good + bytes(bad)) == b"good\r\n"
    assert secure.failure and 0 < len(secure.outgoing()) < 100
    secure.hold(b"never")
    assert secure.held == 0 and secure.sealed() == b""


def test_plaintext_between_records_is_a_failure() -> None:
    secure, _, _ = shaken()
    assert secure.feed(b"a1 LOGOUT\r\n") == b"" and secure.failure


def test_more_at_once_than_the_buffer_holds_is_a_bug_that_is_told() -> None:
    with pytest.raises(ValueError, match="too much"):
        Secure(SERVER).feed(b"x" * (STEP + 1))


def test_a_full_record_behind_a_partial_one_fits() -> None:
    """The rest of a record that came before adds to what one `feed` can give."""
    secure, client, _ = shaken()
    said = b"".join(bytes([number]) * 16384 for number in range(8))
    wire = client.says(said)
    first = secure.feed(wire[:16000])
    assert first == b"" and first + fed(secure, wire[16000:]) == said


def test_the_end_of_what_failed_is_the_alert_about_it() -> None:
    secure = Secure(FILES.server())
    secure.feed(b"\x16\x03\x01\x00\x05hello")
    assert secure.failure
    assert secure.close()[:1] == b"\x15"  # RFC 8446 5.1
    assert secure.close() == b""
