"""The installation's key."""

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from whimbrel.app.key_file import KeyFile


def test_the_key_is_the_same_for_everybody_and_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    with ThreadPoolExecutor(8) as threads:
        keys = set(threads.map(lambda _: KeyFile(path).derived("salt"), range(32)))
    assert len(keys) == 1
    assert KeyFile(path).derived("salt") in keys
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_each_purpose_has_its_own(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    assert KeyFile(path).derived("a") != KeyFile(path).derived("b")
    assert path.read_bytes() not in (KeyFile(path).derived("a"), KeyFile(path).derived("b"))


def test_a_broken_key_is_told_and_never_written_over(tmp_path: Path) -> None:
    path = tmp_path / "secret.key"
    path.write_bytes(b"short")
    with pytest.raises(OSError, match="put it back from a backup"):
        KeyFile(path).derived("a")
    assert path.read_bytes() == b"short"
