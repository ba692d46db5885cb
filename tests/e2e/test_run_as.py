"""Started by root, only the supervisor stays root: everything that touches mail runs as `server/run-as`."""

import os
import pwd
import socket
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import other_user
from tests.support import server as support
from tests.support.mail import eventually, letter, send, subjects, trusting
from tests.support.server import SERVICES, command, free_ports, serving, set_up
from whimbrel.backends.tls import authority

OTHER = other_user.OTHER

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")


@pytest.fixture
def directory() -> Iterator[Path]:
    """Where another user may enter: pytest's own folder is root's."""
    with tempfile.TemporaryDirectory(prefix="whimbrel-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder) / "whimbrel"


def owners(pid: int) -> dict[str, int]:
    """Module of each process under `pid` -> its user."""
    lines = subprocess.run(["ps", "-eo", "pid,ppid,uid,args"], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 3) for line in lines.splitlines()[1:]]
    family = {pid}
    for row in rows:  # Parents stand before their children.
        if int(row[1]) in family:
            family.add(int(row[0]))
    return {f"{row[0]} {row[3]}": int(row[2]) for row in rows if int(row[0]) in family - {pid}}


def test_all_but_the_supervisor_run_as_the_user_that_is_set(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program = other_user.program(directory.parent)
    if program is None:
        pytest.skip(f"no Python that {OTHER} may run")
    monkeypatch.setattr(sys, "executable", program)
    set_up(directory, 2, free_ports(SERVICES), {"server/run-as": OTHER})
    with serving(directory) as server:
        send(server, "user1@example.test", letter("other"))
        assert subjects(server, "user1@example.test") == ["other"]
        other = pwd.getpwnam(OTHER).pw_uid
        found = owners(server.pid)
        assert len(found) >= 5 and set(found.values()) == {other}
        assert (directory / "store").stat().st_uid == other
        assert (directory / "store").stat().st_mode & 0o077 == 0


def test_a_certificate_closed_to_the_user_is_told_and_is_used_once_it_is_open(
    directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = other_user.program(directory.parent)
    if program is None:
        pytest.skip(f"no Python that {OTHER} may run")
    monkeypatch.setattr(sys, "executable", program)
    pair, file = authority.self_signed(["default.test"]), directory.parent / "cert.pem"
    authority.write_file(file, pair.key + pair.certificate, 0o644)
    set_up(directory, 1, free_ports(["imaps"]), {"server/run-as": OTHER, "tls/certificate": str(file)})
    file.chmod(0o600)
    with serving(directory) as server:

        def shown() -> bool:
            try:
                with socket.create_connection(("127.0.0.1", server.ports["imaps"]), timeout=20) as plain:
                    return trusting().wrap_socket(plain, server_hostname="x.test").recv(100).startswith(b"* OK")
            except OSError:
                return False

        assert not shown()
        assert "Permission denied" in command(directory, "status")
        file.chmod(0o644)
        assert any(shown() for _ in eventually())
        assert "Permission denied" not in command(directory, "status")


def test_a_user_who_may_not_run_it_is_named(directory: Path, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.mkdir(mode=0o700)
    program = hidden / "python"
    program.symlink_to(Path(sys.executable).resolve())
    set_up(directory, 1, free_ports(["smtp"]))  # It would refuse by itself a user who may not run what it is run by.
    command(directory, "--offline", "config", "set", "server/run-as", OTHER)
    done = subprocess.run(
        [str(program), "-m", "whimbrel.app.supervisor", str(directory)],
        env=support.ENV | {"PYTHONPATH": f"{support.ENV['PYTHONPATH']}:{sysconfig.get_path('purelib')}"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 78
    assert OTHER in done.stderr and "may not execute" in done.stderr and "server/run-as" in done.stderr
    assert "Traceback" not in done.stderr
