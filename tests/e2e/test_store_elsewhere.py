"""Set up by root with a store outside of the installation, below directories that are not there: the server, which runs
as another user, reaches it; where it does not, it says which directory is closed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import other_user
from tests.support.mail import letter, send, subjects
from tests.support.server import ENV, SERVICES, free_ports, serving, set_up

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
ANN = "user1@example.test"


@pytest.fixture
def place(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where another user may enter: pytest's own folder is root's."""
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        program = other_user.program(Path(folder))
        if program is None:
            pytest.skip(f"no Python that {other_user.OTHER} may run")
        monkeypatch.setattr(sys, "executable", program)
        yield Path(folder)


def settings(store: Path) -> dict[str, str]:
    return {"server/run-as": other_user.OTHER, "store/directory": str(store)}


def test_parents_that_setup_makes_can_be_passed_whatever_the_umask(place: Path) -> None:
    store, before = place / "srv" / "mail" / "store", os.umask(0o077)
    try:
        set_up(place / "whimbrel", 1, free_ports(SERVICES), settings(store))
    finally:
        os.umask(before)
    for each in (store.parent, store.parent.parent):
        assert each.stat().st_mode & 0o777 == 0o755 and each.stat().st_uid == 0, each
    assert store.stat().st_mode & 0o777 == 0o700 and store.stat().st_uid == other_user.user().pw_uid
    with serving(place / "whimbrel") as server:
        send(server, ANN, letter("elsewhere", to=ANN))
        assert subjects(server, ANN) == ["elsewhere"]
    store.parent.parent.chmod(0o700)  # By a person, later.
    done = subprocess.run(
        [sys.executable, "-m", "whimbrel.app.supervisor", str(place / "whimbrel")],
        env=ENV, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 78
    assert f"{store.parent.parent} is closed to {other_user.OTHER} (it belongs to root, mode 700)" in done.stderr


def test_a_directory_that_is_closed_is_named_before_anything_is_written(place: Path) -> None:
    closed = place / "closed"
    closed.mkdir(mode=0o700)
    with pytest.raises(RuntimeError, match=rf"may not pass through {closed} to"):
        set_up(place / "whimbrel", 1, free_ports(SERVICES), settings(closed / "a" / "store"))
    assert not (place / "whimbrel").exists() and list(closed.iterdir()) == []
