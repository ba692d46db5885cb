"""Reading small files without letting go of the interpreter: the same answers as `os.pread`."""

import os
import threading
from pathlib import Path

import pytest

from whimbrel.backends.state.pread import MOST, reader


def test_reads_as_the_system_does(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)) * 40)
    descriptor = os.open(path, os.O_RDONLY)
    try:
        read = reader(descriptor)
        for length, start in ((1536, 4096), (100, 10_200), (5, 0), (0, 0), (10, 20_000), (MOST + 1, 0)):
            assert read(length, start) == os.pread(descriptor, length, start)
    finally:
        os.close(descriptor)
    with pytest.raises(OSError, match="Bad file"):
        read(10, 0)


def test_threads_do_not_share_what_they_read(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"".join(bytes([number]) * 64 for number in range(64)))
    descriptor, wrong = os.open(path, os.O_RDONLY), list[int]()
    read = reader(descriptor)

    def look(number: int) -> None:
        wrong.extend(number for _ in range(2000) if read(64, 64 * number) != bytes([number]) * 64)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    os.close(descriptor)
    assert not wrong
