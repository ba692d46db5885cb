"""The process of the set-up: what it writes of those who knock."""

import pytest

from whimbrel.app.setup.server import LINES, ErrorOutput


def test_who_knocks_without_end_does_not_fill_the_journal(capsys: pytest.CaptureFixture[str]) -> None:
    now = [0.0]
    log = ErrorOutput(lambda: now[0])
    for _ in range(1000):
        log.warning("web.refused", sender_host="192.0.2.1", reason="wrong\n\x1b[2J")
    now[0] = 60.0
    log.error("web.refused", sender_host="192.0.2.2")
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == LINES + 1
    assert lines[0] == "whimbrel: web.refused: sender_host '192.0.2.1', reason 'wrong\\n\\x1b[2J'"
    assert "192.0.2.2" in lines[-1]
