"""In the whole server: between a message's last write or link and its 250 lies a completed barrier."""

import contextlib
import re
import smtplib
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.mail import letter
from tests.support.server import Running

Maker = Callable[..., contextlib.AbstractContextManager[Running]]
CALLS = "trace=linkat,pwrite64,syncfs,write,writev,sendto"


@pytest.mark.peer("strace")
@pytest.mark.root
def test_the_250_comes_after_the_barrier(own_server: Maker, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with own_server({"server/mail-workers": "1"}) as server:
        (zygote,) = _children(server.pid)
        tracers = [
            subprocess.Popen(["strace", "-f", "-p", str(pid), "-o", f"{trace}{pid}", "-e", CALLS, "-s", "40"],
                             stderr=subprocess.DEVNULL)
            for pid in _children(zygote)
        ]  # fmt: skip
        time.sleep(1.0)
        with smtplib.SMTP("127.0.0.1", server.ports["smtp"]) as client:
            for number in range(12):
                client.sendmail("a@else.test", ["user1@example.test"], letter(f"t{number}"))
        for tracer in tracers:
            tracer.terminate()
            tracer.wait(20)
    lines = [line for file in tmp_path.glob("trace*") for line in file.read_text(errors="replace").splitlines()]
    acknowledged = [line for line in lines if "250 2.0.0 Ok: queued" in line]
    assert len(acknowledged) >= 10
    worker = next(
        file for file in tmp_path.glob("trace*") if "250 2.0.0 Ok: queued" in file.read_text(errors="replace")
    )
    dirty = ""
    for line in worker.read_text(errors="replace").splitlines():
        if re.search(r"linkat\(.*#msgs|pwrite64\(", line):
            dirty = line
        elif re.search(r"syncfs(\(\d+\)| resumed>\)) += 0", line):
            dirty = ""
        elif "250 2.0.0 Ok: queued" in line:
            assert not dirty, f"{dirty}\nis not synced before\n{line}"


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
