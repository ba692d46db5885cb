"""Two installations with one store: the second server refuses to start, and starts when the first has ended."""

import subprocess
import sys
from pathlib import Path

from tests.support import server as support
from tests.support.mail import letter, send, subjects
from tests.support.server import free_ports, serving, set_up


def test_the_second_server_of_a_store_waits_for_the_end_of_the_first(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        set_up(directory, 1, free_ports(["smtp", "imaps"]), {})
    # By hand, as an administrator might who copied a configuration.
    (second / "store.id").unlink()
    config = (second / "mailserver.cfg").read_text()
    closing = "</mailserver>"
    assert "<store>" not in config and closing in config
    store = f"<store><directory>{first / 'store'}</directory></store>"
    (second / "mailserver.cfg").write_text(config.replace(closing, store + closing))
    with serving(first) as running:
        send(running, "user1@example.test", letter("one"))
        done = subprocess.run(
            [sys.executable, "-m", "whimbrel.app.supervisor", str(second)],
            env=support.ENV, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert (done.returncode, done.stdout) == (78, "")
        assert f"is in use by another server (of {first})" in done.stderr and done.stderr.count("\n") == 1
    with serving(second) as running:
        assert subjects(running, "user1@example.test") == ["one"]
