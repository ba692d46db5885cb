"""What root leaves in an installation is the server's again, and nothing outside of it ever is."""

import os
import pwd
from pathlib import Path

import pytest

from whimbrel.app.ownership import Refused, basics, closed, closed_above, hand_over, owner

USER = pwd.getpwnam("nobody")
root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def installation(directory: Path, store: str = "store") -> Path:
    directory.mkdir()
    (directory / "mailserver.cfg").write_text(
        f"<mailserver><server><run-as>nobody</run-as></server><store><directory>{store}</directory></store></mailserver>"
    )
    there = directory / store
    messages = there / "mail" / "example.test" / "alice" / "INBOX" / "#msgs"
    messages.mkdir(parents=True)
    (messages / "00000001.eml").write_text("x")
    (there / "generation").write_text("{}")
    for path in (directory, *directory.rglob("*"), there, *there.rglob("*")):
        os.chown(path, USER.pw_uid, USER.pw_gid, follow_symlinks=False)
    return there


def owners(*folders: Path) -> set[int]:
    return {path.lstat().st_uid for folder in folders for path in (folder, *folder.rglob("*"))}


def test_run_as_and_store_are_read_from_the_file_and_a_broken_one_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "mailserver.cfg").write_text("<mailserver><server><run-as> mail </run-as></server></mailserver>")
    assert basics(tmp_path).run_as == "mail" and basics(tmp_path).store == tmp_path / "store"
    for broken in ("<mailserver>", '<!DOCTYPE x [<!ENTITY a "b">]><x/>', ""):
        (tmp_path / "mailserver.cfg").write_text(broken)
        assert basics(tmp_path).run_as == ""


@root
def test_a_start_by_root_needs_a_user_that_exists(tmp_path: Path) -> None:
    for name, words in (("", "names no user"), ("no-such-user-here", "there is no user")):
        (tmp_path / "mailserver.cfg").write_text(f"<mailserver><server><run-as>{name}</run-as></server></mailserver>")
        with pytest.raises(Refused, match=words):
            owner(tmp_path)


@root
@pytest.mark.parametrize("outside", [True, False])
def test_what_root_made_is_given_to_the_user_wherever_it_lies(tmp_path: Path, outside: bool) -> None:
    directory = tmp_path / "server"
    store = installation(directory, str(tmp_path / "elsewhere") if outside else "store")
    assert hand_over(directory, USER) == 0
    inbox = store / "mail" / "example.test" / "alice" / "INBOX"
    for path in (directory / "users.idx", store / "generation.new", inbox / "index.fld", inbox / "#msgs" / "2.eml"):
        path.write_text("")
    assert hand_over(directory, USER) == 4
    assert owners(directory, store) == {USER.pw_uid}


@root
def test_nothing_outside_is_given_away_by_links_or_by_the_name_of_another_folder(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    store = installation(directory)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    (theirs / "secret").write_text("x")
    (store / "mail" / "example.test" / "bob").symlink_to(theirs)
    (directory / "history").symlink_to(theirs)
    (store / "logs").symlink_to(theirs)
    (store / "generation").unlink()
    (store / "generation").write_text("{}")  # Root's, so that everything is looked at.
    assert hand_over(directory, USER) > 0
    assert owners(theirs) == {0}
    (directory / "mailserver.cfg").write_text(
        f"<mailserver><store><directory>{theirs}</directory></store></mailserver>"
    )
    hand_over(directory, USER)
    assert owners(theirs) == {0}  # It is no store.


@root
def test_the_folder_of_a_store_that_is_not_mounted_is_left_alone(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    installation(directory)
    (directory / "store.id").write_text("{}")
    (tmp_path / "empty").mkdir()
    (directory / "mailserver.cfg").write_text(
        f"<mailserver><store><directory>{tmp_path / 'empty'}</directory></store></mailserver>"
    )
    hand_over(directory, USER)
    assert owners(tmp_path / "empty") == {0}


@root
def test_a_message_of_roots_is_given_back_at_a_start_though_nothing_else_is_wrong(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = tmp_path / "server"
    store = installation(directory)
    (store / "stats").mkdir()
    (store / "stats" / "day").write_text("")
    assert hand_over(directory, USER) == 2
    message = store / "mail" / "example.test" / "alice" / "INBOX" / "#msgs" / "00000001.eml"
    os.chown(message, 0, 0)
    assert hand_over(directory, USER) == 1 and owners(store) == {USER.pw_uid}
    os.chown(message, 0, 0)
    monkeypatch.setattr("whimbrel.app.ownership._AT_A_START", 2)
    assert hand_over(directory, USER) == 0  # A large store is not looked through at each start.
    (store / "generation").unlink()
    (store / "generation").write_text("{}")
    assert hand_over(directory, USER) == 2 and owners(store) == {USER.pw_uid}


@root
def test_what_a_former_user_left_in_the_store_is_given_over(tmp_path: Path) -> None:
    directory = tmp_path / "server"
    store = installation(directory)
    (store / "stats").mkdir()
    (store / "stats" / "day").write_text("")
    for path in (store / "stats", store / "stats" / "day"):
        os.chown(path, 12345, 12345)
    assert hand_over(directory, USER) == 2 and owners(directory, store) == {USER.pw_uid}


@root
def test_a_directory_above_that_is_closed_is_named(tmp_path: Path) -> None:
    above = tmp_path / "above"
    installation_of = above / "server"
    above.mkdir(mode=0o700)
    installation(installation_of)
    before = os.geteuid(), os.getegid(), os.getgroups()
    for place in reversed(above.parents):
        if place.stat().st_mode & 0o001 == 0:
            assert closed_above(USER, installation_of) == str(place)
            break
    else:
        assert closed_above(USER, installation_of) == str(above)
        assert f"may not pass through {above}" in closed(USER, installation_of)
        above.chmod(0o711)
        assert closed(USER, installation_of) == ""
    assert before == (os.geteuid(), os.getegid(), os.getgroups())
