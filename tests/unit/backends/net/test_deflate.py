"""RFC 4978: both directions, and what a hostile stream may cost."""

import os
import zlib

import pytest

from whimbrel.backends.net.deflate import STEP, Deflate


def _peer() -> tuple["zlib._Compress", "zlib._Decompress"]:
    return zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15)


def test_what_is_packed_can_be_read_at_once_and_by_any_peer() -> None:
    ours, (_, unpack) = Deflate(), _peer()
    for text in (b"* OK ready\r\n", b"* 1 EXISTS\r\n" * 1000, os.urandom(70_000)):
        assert unpack.decompress(ours.pack(text)) == text


def test_any_chunking_gives_the_same_octets() -> None:
    pack, _ = _peer()
    text = b"a NOOP\r\n" * 500 + os.urandom(5000)
    wire = pack.compress(text) + pack.flush(zlib.Z_SYNC_FLUSH)
    for size in (1, 7, 1000, len(wire)):
        ours, out = Deflate(), b""
        for at in range(0, len(wire), size):
            out += ours.unpack(wire[at : at + size])
            while ours.more:
                out += ours.unpack(b"")
        assert out == text


def test_a_bomb_unfolds_in_bounded_steps() -> None:
    pack, _ = _peer()
    wire = pack.compress(bytes(20 << 20)) + pack.flush(zlib.Z_SYNC_FLUSH)
    assert len(wire) < 64 * 1024
    ours = Deflate()
    sizes = [len(ours.unpack(wire))]
    while ours.more:
        sizes.append(len(ours.unpack(b"")))
    assert max(sizes) <= STEP and sum(sizes) == 20 << 20


def test_what_is_not_deflate_or_has_ended_is_refused() -> None:
    with pytest.raises(ValueError):
        Deflate().unpack(b"\xff\xff\xff\xff")
    pack, _ = _peer()
    ours = Deflate()
    assert ours.unpack(pack.compress(b"a NOOP\r\n") + pack.flush(zlib.Z_FINISH)) == b"a NOOP\r\n"
    assert not ours.more and ours.rest == b""
    with pytest.raises(ValueError):
        ours.unpack(b"b NOOP\r\n")


def test_both_streams_can_end_and_what_comes_behind_is_kept_as_it_is() -> None:
    """RFC 8437 4.1"""
    ours, (pack, unpack) = Deflate(), _peer()
    line = b"x" * (STEP - 2) + b"\r\n"  # As much as one step gives, and nothing more.
    assert ours.unpack(pack.compress(line) + pack.flush(zlib.Z_FINISH) + b"b NOOP\r\n") == line
    assert not ours.more and ours.rest == b"b NOOP\r\n"
    assert unpack.decompress(ours.pack(b"a OK\r\n") + ours.finish() + b"* plain") == b"a OK\r\n"
    assert unpack.eof and unpack.unused_data == b"* plain"
