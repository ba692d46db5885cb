"""The journal gives back what was appended, whatever became of its end, and for no other file than its own."""

from pathlib import Path

import pytest

from tests.unit.backends.directory.files import add, put, remove
from whimbrel.backends.directory.journal import Changes, Journal, as_text, parse, summary
from whimbrel.core.directory import DirectoryChange, Kind, Op, Rights
from whimbrel.core.values import Secret

BASE, NEXT, OTHER = "0" * 64, "1" * 64, "2" * 64
CALLS: list[Changes] = [
    (add(Kind.USER, "example.org", "älice", full_name="A\n\u2028 <B>", alias=("a", "b"), quota=None),),
    (remove(Kind.GROUP, "example.org", "all"), put(Kind.DOMAIN, "example.org", description="")),
    (put(Kind.USER, "example.org", "bob", password="$argon2id$x"),),
]


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(tmp_path / "users.cfg.changes", tmp_path / "users.cfg")
    made.append(BASE, CALLS[:2])
    made.append(BASE, CALLS[2:])
    return made


def test_what_was_appended_is_read_again(journal: Journal, tmp_path: Path) -> None:
    found = Journal(journal.path, tmp_path).read()
    assert found is not None
    assert (found.base, list(found.calls), found.damaged) == (BASE, CALLS, False)
    assert journal.path.stat().st_mode & 0o777 == 0o600


def test_values_are_kept_as_the_text_that_means_the_same(tmp_path: Path) -> None:
    values = {"a": True, "b": Secret("$argon2id$v"), "c": Rights.DOMAIN, "d": 5, "e": [False, "x"], "f": None}
    journal = Journal(tmp_path / "j", tmp_path)
    journal.append(BASE, [(DirectoryChange(Op.SET, Kind.USER, "example.org", "x", values, {"a": "no"}),)])
    found = journal.read()
    assert found is not None
    assert found.calls[0][0].values == {
        "a": "yes", "b": "$argon2id$v", "c": "domain", "d": "5", "e": ("no", "x"), "f": None
    }  # fmt: skip


@pytest.mark.parametrize("lost", [1, 2, 30, 120])
def test_a_torn_last_record_is_left_out_and_overwritten(journal: Journal, tmp_path: Path, lost: int) -> None:
    content = journal.path.read_bytes()
    journal.path.write_bytes(content[:-lost])
    again = Journal(journal.path, tmp_path)
    found = again.read()
    assert found is not None
    assert (list(found.calls), found.damaged) == (CALLS[:2], False)
    again.append(BASE, CALLS[2:])
    assert journal.path.read_bytes() == content


def test_every_cut_gives_a_beginning(journal: Journal) -> None:
    content = journal.path.read_bytes()
    for end in range(len(content)):
        found, at = parse(content[:end])
        assert at <= end
        if found is not None:
            assert not found.damaged
            assert list(found.calls) == CALLS[: len(found.calls)]


def test_a_journal_that_was_torn_in_its_first_record_is_emptied(tmp_path: Path) -> None:
    path = tmp_path / "users.cfg.changes"
    path.write_bytes(b'1234 {"base')
    journal = Journal(path, tmp_path)
    assert journal.read() is None
    journal.clear()
    journal.close()
    assert not path.exists()


def test_a_broken_record_before_a_whole_one_is_damage(journal: Journal) -> None:
    lines = journal.path.read_bytes().splitlines(keepends=True)
    for number in range(len(lines) - 1):
        broken = [*lines]
        broken[number] = broken[number].replace(b"e", b"f", 1)
        found, _ = parse(b"".join(broken))
        assert found is not None
        assert found.damaged
        assert list(found.calls) == CALLS[: max(number - 1, 0)]


def test_the_journal_of_a_release_to_come_is_damage_not_silence(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", tmp_path)
    journal.append(BASE, CALLS[:1])
    import zlib

    body = b'{"format":2,"base":"x"}'
    found, _ = parse(b"%08x %s\n" % (zlib.crc32(body), body))
    assert found is not None
    assert found.damaged


def test_the_file_decides_which_calls_are_left(journal: Journal) -> None:
    journal.about_to_write(NEXT, 2)
    found = journal.read()
    assert found is not None
    assert found.left(BASE) == tuple(CALLS)  # It never took its name.
    assert found.left(NEXT) == tuple(CALLS[2:])
    assert found.left(OTHER) is None


def test_the_later_of_two_files_with_the_same_content_counts(journal: Journal) -> None:
    journal.about_to_write(NEXT, 1)
    journal.about_to_write(BASE, 3)
    found = journal.read()
    assert found is not None
    assert found.left(BASE) == ()


def test_what_was_not_acknowledged_is_taken_back(journal: Journal) -> None:
    content, end = journal.path.read_bytes(), journal.position
    journal.append(BASE, CALLS)
    journal.cut(end)
    assert journal.path.read_bytes() == content
    assert journal.position == end


def test_a_failed_append_leaves_no_part_of_it(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    content = journal.path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("whimbrel.backends.directory.journal.sync", full)
    with pytest.raises(OSError, match="No space"):
        journal.append(BASE, CALLS)
    monkeypatch.undo()
    assert journal.path.read_bytes() == content
    journal.append(BASE, CALLS[:1])
    found = journal.read()
    assert found is not None
    assert list(found.calls) == [*CALLS, CALLS[0]]


def test_for_people_there_is_one_change_a_line() -> None:
    lines = as_text(CALLS).decode().split("\n")
    assert len(lines) == 5
    assert '"älice"' in lines[0]
    assert summary(CALLS[2][0]) == "set user bob@example.org: password"
    assert summary(CALLS[1][0]) == "remove group all@example.org"
