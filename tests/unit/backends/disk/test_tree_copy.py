"""A store is copied in passes while it is in use; at the end the copy is the same, links and times included."""

import contextlib
import errno
import os
import random
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from whimbrel.backends.disk import tree_copy
from whimbrel.backends.disk.tree_copy import STAGED, CopyFailed, TreeCopy, finish, measure


@pytest.fixture(autouse=True)
def slack(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests change files sooner than people do, and the clock of a file system is coarse for milliseconds."""
    monkeypatch.setattr(tree_copy, "SLACK", 20_000_000)


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    source, target = tmp_path / "store", tmp_path / "new"
    target.mkdir(mode=0o700)
    for user in ("ann", "bob"):
        folder = source / "mail" / "a.test" / user / "INBOX"
        (folder / "#msgs").mkdir(parents=True)
        (folder / "index.fld").write_bytes(user.encode() * 1000)
        for uid in range(1, 6):
            (folder / "#msgs" / f"{uid:08x}.eml").write_bytes(f"{user} {uid}".encode())
            os.utime(folder / "#msgs" / f"{uid:08x}.eml", ns=(uid * 10**9, uid * 10**9))
    shared = source / "mail/a.test/ann/INBOX/#msgs/00000010.eml"
    shared.write_bytes(b"to both")
    os.link(shared, source / "mail/a.test/bob/INBOX/#msgs/00000011.eml")
    os.symlink("bob", source / "mail/a.test/robert")
    (source / "store.id").write_text("{}")
    (source / "index.fld-shm").write_bytes(b"shared")
    (source / "queue").mkdir()
    (source / "queue" / "queue.db-wal").write_bytes(b"log")
    return source, target


def passed(source: Path, target: Path, *, last: bool = False) -> int:
    """A pass; the octets that it had to copy."""
    with contextlib.closing(TreeCopy(source, target)) as copy:
        fresh = 0
        for copied in copy.run(last=last):
            fresh = copied.fresh
        if last:
            copy.verify()
        return fresh


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything below, with kind, content, time, and which names are one file."""
    seen: dict[str, tuple[object, ...]] = {}
    first: dict[int, str] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.partition("/")[0] in tree_copy.LEFT or name.endswith("-shm"):
            continue
        if path.is_symlink():
            seen[name] = ("link", os.readlink(path))
        elif path.is_dir():
            seen[name] = ("folder",)
        else:
            status = path.stat()
            same = first.setdefault(status.st_ino, name)
            seen[name] = ("file", path.read_bytes(), status.st_mtime_ns, status.st_mode, same)
    return seen


def later() -> None:
    import time

    time.sleep(0.03)


def test_the_copy_is_the_same_with_links_and_times(places: tuple[Path, Path]) -> None:
    source, target = places
    passed(source, target, last=True)
    assert tree(target) == tree(source)
    both = target / "mail/a.test/ann/INBOX/#msgs/00000010.eml"
    assert both.stat().st_nlink == 2
    assert not (target / "store.id").exists() and not (target / "index.fld-shm").exists()
    finish(target)
    assert not any(name.startswith("store.moving") for name in os.listdir(target))


def test_what_has_not_changed_is_not_copied_again(places: tuple[Path, Path]) -> None:
    source, target = places
    later()
    assert passed(source, target) > 0
    later()
    index = source / "mail/a.test/ann/INBOX/index.fld"
    status = index.stat()
    with index.open("r+b") as file:
        file.write(b"changed")
    os.utime(index, ns=(status.st_atime_ns, status.st_mtime_ns))  # Same size, same time: only its ctime tells.
    assert passed(source, target, last=True) == status.st_size + len(b"log")
    assert tree(target) == tree(source)


def test_what_came_went_and_was_renamed_is_followed(places: tuple[Path, Path]) -> None:
    source, target = places
    passed(source, target)
    ann, bob = source / "mail/a.test/ann/INBOX/#msgs", source / "mail/a.test/bob/INBOX/#msgs"
    (ann / "00000001.eml").unlink()
    (ann / "00000020.eml").write_bytes(b"new, to both")
    os.link(ann / "00000020.eml", bob / "00000020.eml")
    os.link(ann / "00000002.eml", bob / "00000021.eml")  # As COPY does.
    ann.parent.rename(ann.parent.with_name("Old"))
    shutil.copytree(bob.parent, ann.parent)  # Another folder has the name now, with the same names of files.
    passed(source, target)
    (bob / "00000003.eml").unlink()
    os.mkdir(bob / "00000003.eml")
    passed(source, target, last=True)
    assert tree(target) == tree(source)


def test_a_folder_of_the_former_name_is_not_taken_for_the_new_one(places: tuple[Path, Path]) -> None:
    """Sizes and times are the same, and nothing was changed since: only the directory is another."""
    source, target = places
    one, other = source / "mail/a.test/one", source / "mail/a.test/other"
    for folder in (one, other):
        folder.mkdir()
        (folder / "00000001.eml").write_bytes(folder.name[:3].encode())
        os.utime(folder / "00000001.eml", ns=(10**9, 10**9))
    later()
    passed(source, target)
    later()
    one.rename(source / "mail/a.test/aside")
    other.rename(one)
    passed(source, target, last=True)
    assert (target / "mail/a.test/one/00000001.eml").read_bytes() == b"oth"
    assert tree(target) == tree(source)


def test_a_process_that_died_anywhere_is_gone_on_from(places: tuple[Path, Path]) -> None:
    """Cut off after each number of batches, by a process that ends without closing anything."""
    source, target = places
    for count in range(1, 12):
        copy = TreeCopy(source, target)
        for _, _copied in zip(range(count % 4), copy.run(last=count % 2 == 0), strict=False):
            pass
        folder = source / "mail/a.test/ann/INBOX/#msgs"
        (folder / f"{count + 100:08x}.eml").write_bytes(b"x" * count)
        os.link(folder / f"{count + 100:08x}.eml", source / f"mail/a.test/bob/INBOX/#msgs/{count + 200:08x}.eml")
    passed(source, target, last=True)
    assert tree(target) == tree(source)


def test_any_changes_between_passes_are_followed(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree_copy, "BATCH_FILES", 3)
    source, target = places
    chance = random.Random(7)
    for number in range(30):
        files = [each for each in source.rglob("*.eml") if each.is_file()]
        victim, other = chance.choice(files), chance.choice(files)
        match chance.randrange(6):
            case 0:
                victim.unlink()
            case 1:
                victim.write_bytes(b"%d" % number)
            case 2:
                with contextlib.suppress(FileExistsError):
                    os.link(victim, other.with_name(f"{number + 500:08x}.eml"))
            case 3:
                victim.rename(other)
            case 4:
                other.parent.parent.rename(other.parent.parent.with_name(f"folder{number}"))
            case _:
                victim.with_name(f"{number + 900:08x}.eml").write_bytes(b"new")
        if number % 3 == 0:
            passed(source, target)
    passed(source, target, last=True)
    assert tree(target) == tree(source)


def test_a_disk_that_is_full_is_told_and_the_source_is_as_before(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places
    before, write = tree(source), os.write
    room = [30]

    def short(descriptor: int, data: bytes) -> int:
        if STAGED in os.readlink(f"/proc/self/fd/{descriptor}"):
            room[0] -= len(data)
            if room[0] < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
        return write(descriptor, data)

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", short)
        with pytest.raises(CopyFailed, match="No space left"):
            passed(source, target)
    assert tree(source) == before
    passed(source, target, last=True)
    assert tree(target) == before


def test_a_copy_that_comes_near_the_hard_limit_ends(places: tuple[Path, Path]) -> None:
    with contextlib.closing(TreeCopy(*places, reserve=1 << 62)) as copy, pytest.raises(CopyFailed, match="hard limit"):
        list(copy.run(last=False))


@pytest.fixture
def whole(places: tuple[Path, Path]) -> Iterator[tuple[TreeCopy, Path]]:
    with contextlib.closing(TreeCopy(*places)) as copy:
        list(copy.run(last=True))
        yield copy, places[1] / "mail/a.test/ann/INBOX"


@pytest.mark.parametrize("fault", ["missing", "more", "shorter", "other octets", "a folder"])
def test_the_proof_finds_what_is_not_the_same(whole: tuple[TreeCopy, Path], fault: str) -> None:
    copy, inbox = whole
    copy.verify()
    message = inbox / "#msgs" / "00000001.eml"
    status = message.stat()
    if fault == "missing":
        message.unlink()
    elif fault == "more":
        (inbox / "another").write_text("x")
    elif fault == "shorter":
        message.write_bytes(b"a")
    elif fault == "other octets":
        message.write_bytes(b"x" * status.st_size)
        os.utime(message, ns=(status.st_atime_ns, status.st_mtime_ns))
    else:
        message.unlink()
        message.mkdir()
    with pytest.raises(CopyFailed):
        copy.verify()


def test_a_file_of_several_names_is_measured_once(places: tuple[Path, Path]) -> None:
    source, _ = places
    files, octets = measure(source)
    assert files == sum(each.is_file() and not each.is_symlink() for each in source.rglob("*")) - 1  # Its mark.
    os.link(source / "mail/a.test/ann/INBOX/#msgs/00000010.eml", source / "mail/more")
    assert measure(source) == (files + 1, octets)


def test_without_links_there_a_file_is_copied_once_more(
    places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = places

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    passed(source, target, last=True)
    for name in ("ann/INBOX/#msgs/00000010.eml", "bob/INBOX/#msgs/00000011.eml"):
        assert (target / "mail/a.test" / name).read_bytes() == b"to both"
