"""Where the store of a new installation may be: what is no place for it is refused in words, and nothing is made."""

import os
from pathlib import Path

import pytest

from whimbrel.app.setup import places
from whimbrel.app.setup.machine import RealMachine


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """Of the new installation; it is not there yet."""
    return tmp_path / "server"


@pytest.mark.parametrize("name", ["store", "mail/store", "./store", "../elsewhere/store", "ä ö/store", "store-2"])
def test_a_directory_that_is_not_there_may_be_the_store(directory: Path, name: str) -> None:
    assert places.refusal(directory, name) == ""
    assert not directory.exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (".", "holds the installation itself"),
        ("..", "holds the installation itself"),
        ("/", "holds the installation itself"),
        ("store/..", "holds the installation itself"),
        ("../../../../../../../../../../..", "holds the installation itself"),
        ("tls", "the installation's own"),
        ("run/mail", "the installation's own"),
        ("store/../history", "the installation's own"),
        ("users.cfg", "the installation's own"),
        ("~/mail", "no shell reads it"),
        ("/proc/mail", "which the kernel makes up"),
        ("/sys/kernel/mail", "which the kernel makes up"),
        ("/etc", "is not empty"),
        ("/etc/passwd", "Not a directory"),
        ("/etc/passwd/mail", "Not a directory"),
        ("x" * 300, "File name too long"),
        ("x/" * 2500, "File name too long"),
    ],
)
def test_what_is_no_place_for_mail_is_refused_in_words(directory: Path, name: str, words: str) -> None:
    assert words in places.refusal(directory, name)
    assert not directory.exists()


def test_a_link_is_never_followed(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    for target in (tmp_path / "disk", tmp_path / "nothing"):
        link = tmp_path / f"to-{target.name}"
        link.symlink_to(target)
        assert f"is a symbolic link to {target}" in places.refusal(directory, str(link))


def test_a_store_is_not_inside_of_another_installation_or_store(directory: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    (other / "mail").mkdir(parents=True)
    (other / "mailserver.cfg").write_text("<mailserver/>")
    assert f"inside of another installation ({other})" in places.refusal(directory, str(other / "mail"))
    assert f"inside of another installation ({other})" in places.refusal(other / "second", "store")
    store = tmp_path / "store"
    store.mkdir()
    (store / "store.id").write_text("{}")
    assert "is the store of another installation" in places.refusal(directory, str(store))
    assert f"inside of the store {store}" in places.refusal(directory, str(store / "mail" / "more"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_closed_directory_is_refused(directory: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    assert "not writable" in places.refusal(directory, str(tmp_path / "closed" / "mail"))


def test_the_machine_says_which_directories_are_missing(tmp_path: Path) -> None:
    machine = RealMachine(tmp_path / "server")
    assert machine.disk("store").missing == ""
    assert machine.disk(str(tmp_path / "mial" / "deep" / "store")).missing == str(tmp_path / "mial")
    assert machine.disk(str(tmp_path / "store")).missing == ""
