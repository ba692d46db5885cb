"""Small contents are read at once where the system can tell that it need not wait for the disk."""

from pathlib import Path

import pytest

from whimbrel.backends.queue import cached
from whimbrel.backends.queue.cached import MOST, read_cached


def test_it_has_the_beginning_or_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.eml"
    path.write_bytes(b"0123456789")
    # A file system that cannot tell says so: then the long way is taken, and nothing else may come.
    assert read_cached(str(path), 4) in (b"0123", None)
    assert read_cached(str(path), 100) in (b"0123456789", None)
    path.write_bytes(b"")
    assert read_cached(str(path), 100) in (b"", None)


def test_what_is_large_or_not_there_goes_the_long_way(tmp_path: Path) -> None:
    assert read_cached(str(tmp_path / "none.eml"), 9) is None
    (tmp_path / "large.eml").write_bytes(b"x" * (MOST + 1))
    assert read_cached(str(tmp_path / "large.eml"), MOST + 1) is None


def test_a_symbolic_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "a.eml").symlink_to(tmp_path / "secret")
    assert read_cached(str(tmp_path / "a.eml"), 9) is None


def test_a_system_that_would_wait_is_never_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cached, "_NOWAIT", 0)
    (tmp_path / "a.eml").write_bytes(b"x")
    assert read_cached(str(tmp_path / "a.eml"), 9) is None
