"""A set-up is there as a whole or not at all, wherever its process ends."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.app.test_setup import GOOD
from whimbrel.app.installation import Installation
from whimbrel.app.setup import commit
from whimbrel.app.setup.writing import CHAIN, read_answers, set_up
from whimbrel.backends.tls.authority import self_signed
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.config import ConfigError
from whimbrel.services.setup.answers import Answers, CertificatePair

STEPS: dict[str, Callable[..., Any]] = {
    "fsync": os.fsync,
    "rename": os.rename,
    "replace": os.replace,
    "mkdir": os.mkdir,
    "chmod": os.chmod,
}


def answers() -> Answers:
    pair = self_signed(("mail.example.org",))
    text = GOOD.replace('users = "users.csv"', "")
    return replace(read_answers(text, "answers.toml"), certificate=CertificatePair(pair.certificate, pair.key))


def dies(directory: Path, given: Answers, at: int) -> bool:
    """Sets up in a process that ends before its step number `at` on the disk. False: it had fewer."""
    child = os.fork()
    if not child:
        steps = [0]

        def mortal(function: Callable[..., Any]) -> Callable[..., Any]:
            def call(*words: Any, **named: Any) -> Any:
                steps[0] += 1
                if steps[0] == at:
                    os._exit(9)
                return function(*words, **named)

            return call

        for name, function in STEPS.items():
            setattr(os, name, mortal(function))
        set_up(directory, given)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_whatever_step_it_dies_at_there_is_all_or_nothing(tmp_path: Path) -> None:
    given, outcomes = answers(), set()
    for at in range(1, 200):
        directory = tmp_path / str(at)
        died = dies(directory, given, at)
        commit.recover(directory)
        names = {path.name for path in directory.iterdir()} if directory.exists() else set()
        done = "mailserver.cfg" in names
        if done:
            installation = Installation(directory)
            certificate = Path(installation.load_config().section(TlsSettings).certificate)
            assert certificate == directory / CHAIN and certificate.read_bytes() == given.certificate.certificate  # type: ignore[union-attr]
            assert '<user name="admin">' in installation.users_file.read_text()
            assert names - {"store.id", ".store.id.new"} == {"mailserver.cfg", "users.cfg", "tls", "mailstore"}
            with pytest.raises(ConfigError, match="set up already"):
                set_up(directory, given)
        else:
            assert not names, f"left after step {at}: {names}"
        outcomes.add(done)
        if not died:
            break
    else:
        pytest.fail("it never came to its end")
    assert outcomes == {False, True}
    assert at > 15


def test_after_a_death_the_next_set_up_needs_no_hand(tmp_path: Path) -> None:
    given = answers()
    assert dies(tmp_path, given, 15)
    assert list(tmp_path.iterdir())
    set_up(tmp_path, given)
    assert Installation(tmp_path).load_config()


def test_two_at_once_do_not_mix(tmp_path: Path) -> None:
    with commit.Staging(tmp_path), pytest.raises(commit.Busy, match="Another set-up is at work"):
        set_up(tmp_path, answers())
    assert not list(tmp_path.iterdir())
    set_up(tmp_path, answers())


def test_what_was_there_before_stays_when_a_set_up_fails(tmp_path: Path) -> None:
    (tmp_path / "tls").mkdir()
    (tmp_path / CHAIN).write_text("mine")
    with pytest.raises(ConfigError, match=r"imported\.pem is there already"):
        set_up(tmp_path, answers())
    assert (tmp_path / CHAIN).read_text() == "mine"
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


def test_a_pair_that_does_not_fit_is_refused_at_its_field(tmp_path: Path) -> None:
    mixed = replace(
        answers(), certificate=CertificatePair(self_signed(("a.test",)).certificate, self_signed(("a.test",)).key)
    )
    with pytest.raises(ConfigError) as caught:
        set_up(tmp_path / "server", mixed)
    assert [fault.path for fault in caught.value.faults] == ["certificate.key"], caught.value
    assert "config set" not in str(caught.value)
    assert not (tmp_path / "server").exists()


def test_what_is_made_above_an_installation_is_open_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        with commit.Staging(tmp_path / "a" / "b" / "server") as staging:
            staging.make_folder(tmp_path / "c" / "store")
            staging.make_folder(staging.directory / "d" / "e")
            modes = {
                name: (tmp_path / name).stat().st_mode & 0o777 for name in ("a", "a/b", "a/b/server", "c", "c/store")
            }
            assert modes == {"a": 0o755, "a/b": 0o755, "a/b/server": 0o700, "c": 0o755, "c/store": 0o700}
            assert (staging.directory / "d").stat().st_mode & 0o777 == 0o700
    finally:
        os.umask(before)
    assert list(tmp_path.iterdir()) == []
