"""Settings that take something away say so when they are set, like their neighbours."""

import os
from pathlib import Path

import pytest

from whimbrel.app import server
from whimbrel.app.settings import MailServer
from whimbrel.backends.config.store import FileConfig


def texts(folder: Path, values: dict[str, object]) -> list[str]:
    config = FileConfig(folder / "mailserver.cfg", MailServer)
    config.load()
    before = set(config.concerns())
    return [str(each) for each in config._new_concerns(config._changed(values)) if each not in before]


@pytest.mark.parametrize(
    ("path", "bad", "good", "word"),
    [
        ("logs/keep", "0", "1", "deleted"),
        ("logs/files/config/keep", "0", "3", "deleted"),
        ("store/keep-deleted", "0", "1d", "for good"),
        ("services/smtp/listen", (), ("127.0.0.1:0",), "listens nowhere"),
        ("delivery/retry-after", ("0s", "1h"), ("5m",), "without a pause"),
    ],
)
def test_what_takes_something_away_says_so(tmp_path: Path, path: str, bad: object, good: object, word: str) -> None:
    said = texts(tmp_path, {path: bad})
    assert len(said) == 1 and said[0].startswith(f"{path}: ") and word in said[0]
    assert texts(tmp_path, {path: good}) == []


def test_a_service_that_is_off_may_listen_nowhere(tmp_path: Path) -> None:
    assert texts(tmp_path, {"services/smtp/listen": (), "services/smtp/enabled": "no"}) == []


def test_no_user_to_run_as_is_said_where_the_files_are_those_of_a_system_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FileConfig(tmp_path / "mailserver.cfg", MailServer)
    config.load()
    assert not [each for each in config.concerns() if each.path == "server/run-as"]
    monkeypatch.setattr(server, "_SYSTEM", range(os.getuid(), os.getuid() + 1))
    said = [each.text for each in config.concerns() if each.path == "server/run-as"]
    assert len(said) == 1 and "root could not start the server" in said[0]
