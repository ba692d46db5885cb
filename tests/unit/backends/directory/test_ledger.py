"""A large file: a change is in force and durable at once, and in users.cfg a moment later; nothing is ever lost."""

import asyncio
import concurrent.futures
import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import apsw
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.backends.directory.files import FILE, House, add, contents, put, remove, same_as_rebuilt
from tests.unit.backends.directory.test_editor import changes
from whimbrel.backends.config.files import ConfigFile
from whimbrel.backends.directory import listing
from whimbrel.backends.directory.journal import Journal
from whimbrel.backends.directory.records import Schema
from whimbrel.core.config import ConfigConflict, ConfigError
from whimbrel.core.directory import DirectoryChange, Kind

BOB = put(Kind.USER, "example.org", "bob", full_name="Robert")
GONE = remove(Kind.GROUP, "example.org", "all")


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path, journal=True)
    yield made
    made.abandon()


def full_name(house: House, address: str) -> str | None:
    house.reader.refresh()
    account = asyncio.run(house.reader.sign_in(address))
    return account.full_name if account else None


def test_a_change_is_in_force_before_the_file_has_it(house: House, tmp_path: Path) -> None:
    house.edit(BOB)
    assert full_name(house, "bob@example.org") == "Robert"
    assert house.text == FILE
    assert house.editor.difference() == ""
    house.fold()
    assert "<full-name>Robert</full-name>" in house.text
    assert house.changes.read_bytes() == b""
    same_as_rebuilt(house, tmp_path)


def test_many_changes_are_one_former_version(house: House, tmp_path: Path) -> None:
    for number in range(30):
        house.edit(add(Kind.USER, "empty.example", f"u{number}", alias=(f"a{number}",)))
    house.edit(*(remove(Kind.USER, "empty.example", f"u{number}") for number in range(0, 30, 3)))
    house.fold()
    assert len(house.editor.former()) == 1
    assert house.editor.former()[0].path.read_text(encoding="utf-8") == FILE
    same_as_rebuilt(house, tmp_path)


def test_after_a_kill_the_journal_is_applied_and_written(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True)
    house.edit(BOB)
    house.edit(GONE)
    house.abandon()
    assert house.text == FILE
    house = House(tmp_path, "", journal=True)
    assert full_name(house, "bob@example.org") == "Robert"
    assert "Robert" in house.text and "<group" not in house.text
    house.close()
    assert not house.changes.exists()
    same_as_rebuilt(house, tmp_path)


def test_a_torn_record_at_the_end_was_never_acknowledged(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True)
    house.edit(BOB)
    house.abandon()
    with house.changes.open("ab") as file:
        file.write(b'0123abcd {"changes":[{"op":"remove","kind":"us')
    house = House(tmp_path, "", journal=True)
    assert full_name(house, "bob@example.org") == "Robert"
    assert not house.log.named("config.changes-aside")
    house.close()


@pytest.mark.parametrize("step", ["os.replace", "journal.clear", "_mark"])
def test_whatever_step_of_a_write_is_the_last_no_change_is_lost_or_made_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object) -> None:
        raise Killed

    house = House(tmp_path, journal=True)
    house.edit(add(Kind.USER, "example.org", "late"))
    house.edit(remove(Kind.USER, "example.org", "bob"), GONE)
    targets = {
        "os.replace": "whimbrel.backends.config.files.os.replace",
        "journal.clear": "whimbrel.backends.directory.journal.Journal.clear",
        "_mark": "whimbrel.backends.directory.ledger._mark",
    }
    monkeypatch.setattr(targets[step], killed)
    with pytest.raises(Killed):
        house.fold()
    monkeypatch.undo()
    assert (house.text == FILE) is (step == "os.replace")
    house.abandon()
    house = House(tmp_path, "", journal=True)
    assert full_name(house, "late") is not None
    assert full_name(house, "bob") is None
    assert house.text.count('"late"') == 1
    assert not house.log.named("config.changes-aside")
    house.close()
    same_as_rebuilt(house, tmp_path)


def test_an_index_that_could_not_follow_the_file_is_put_right_by_the_next_change(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    house.edit(BOB)
    monkeypatch.setattr("whimbrel.backends.directory.ledger._mark", full)
    with pytest.raises(OSError, match="No space"):
        house.fold()
    monkeypatch.undo()
    assert "Robert" in house.text
    house.edit(GONE)
    house.fold()
    same_as_rebuilt(house, tmp_path)


def test_an_edit_outside_before_the_file_was_written_is_noticed_and_asked_about(house: House) -> None:
    house.edit(BOB)
    edited = FILE.replace("<quota>5G", "<quota>6G")
    house.path.write_text(edited, encoding="utf-8")
    with pytest.raises(ConfigConflict) as caught:
        house.fold()
    assert "+user alice@example.org: quota: 6G\n" in caught.value.difference
    assert "-user Bob@example.org: full-name: Robert\n" in caught.value.difference
    with pytest.raises(ConfigConflict):
        house.edit(GONE)
    assert house.text == edited
    assert house.editor.difference() == caught.value.difference


def test_an_edit_outside_while_the_file_is_written_is_not_overwritten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.edit(BOB)
    edited = FILE.replace("<quota>5G", "<quota>6G")
    during(monkeypatch, lambda: house.path.write_text(edited, encoding="utf-8"))
    with pytest.raises(ConfigConflict):
        house.fold()
    assert house.text == edited
    assert [path.name for path in house.path.parent.glob(".users.cfg*")] == []
    assert full_name(house, "bob") == "Robert"


def test_theirs_puts_our_changes_aside_where_they_are_found(house: House, tmp_path: Path) -> None:
    house.edit(add(Kind.USER, "example.org", "kept", password="$argon2id$kept"))
    house.fold()
    house.edit(BOB)
    house.path.write_text(house.text.replace("<quota>5G", "<quota>6G"), encoding="utf-8")
    assert asyncio.run(house.editor.reload())
    assert full_name(house, "bob") == ""
    assert full_name(house, "kept") == ""
    aside = tmp_path / "history" / "users.cfg.changes.00000001"
    assert [json.loads(line)["name"] for line in aside.read_text().splitlines()] == ["bob"]
    assert aside.stat().st_mode & 0o777 == 0o600
    (told,) = house.log.named("config.changes-aside")
    assert (told["count"], told["names"]) == (1, "set user bob@example.org: full-name")
    assert "argon2id" not in str(told)
    assert str(aside) in str(house.editor.warnings[0])
    assert '+set user bob@example.org: full-name: "Robert"\n' in house.editor.aside()
    house.edit(BOB)
    house.fold()
    same_as_rebuilt(house, tmp_path)


def test_what_lies_aside_is_shown_without_secrets_until_it_is_deleted(house: House, tmp_path: Path) -> None:
    assert house.editor.aside() == ""
    for number in range(2):
        house.edit(put(Kind.USER, "example.org", "bob", password=f"$argon2id$secret{number}", alias=("b", "c")), GONE)
        house.path.write_text(FILE.replace("5G", f"{number}G"), encoding="utf-8")
        asyncio.run(house.editor.reload())
    shown = house.editor.aside()
    assert "secret" not in shown
    assert shown.count("+set user bob@example.org: password: ********\n") == 2
    assert '+set user bob@example.org: alias: "c"\n+remove group all@example.org\n' in shown
    (tmp_path / "history" / "users.cfg.changes.00000001").unlink()
    (tmp_path / "history" / "users.cfg.changes.00000002").write_bytes(b"12345678 {}")
    assert "damaged" in house.editor.aside()
    assert len(house.editor.former()) == 2  # What stood in force before the two edits: no copy of the journal.


def test_ours_holds_what_was_not_written_yet(house: House, tmp_path: Path) -> None:
    house.edit(BOB)
    house.path.write_text("<users/>")
    asyncio.run(house.editor.keep())
    assert full_name(house, "bob") == "Robert"
    assert "Robert" in house.text
    assert not house.log.named("config.changes-aside")
    same_as_rebuilt(house, tmp_path)


def test_an_edit_between_kill_and_start_puts_the_journal_aside(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True)
    house.edit(BOB)
    house.abandon()
    edited = FILE.replace("<quota>5G", "<quota>6G")
    house = House(tmp_path, edited, journal=True)
    assert full_name(house, "bob") == ""
    assert house.text == edited
    assert len(house.log.named("config.changes-aside")) == 1
    house.edit(GONE)
    house.close()
    assert (tmp_path / "history" / "users.cfg.changes.00000001").exists()
    same_as_rebuilt(house, tmp_path)


def test_a_file_that_was_broken_meanwhile_leaves_the_journal_until_it_is_mended(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True)
    house.edit(BOB)
    house.abandon()
    house.path.write_text("<users><x/></users>")
    with pytest.raises(ConfigError):
        House(tmp_path, "", journal=True)
    house = House(tmp_path, FILE, journal=True)
    assert full_name(house, "bob") == "Robert"
    house.close()


def test_a_damaged_journal_is_kept_whole_beside_what_can_be_applied(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True)
    house.edit(BOB)
    house.edit(add(Kind.USER, "example.org", "x"))
    house.edit(add(Kind.USER, "example.org", "y"))
    house.abandon()
    lines = house.changes.read_bytes().splitlines(keepends=True)
    damaged = b"".join([*lines[:2], lines[2].replace(b"add", b"ADD"), lines[3]])
    house.changes.write_bytes(damaged)
    house = House(tmp_path, "", journal=True)
    assert full_name(house, "bob") == "Robert"
    assert full_name(house, "y") is None
    assert (tmp_path / "history" / "users.cfg.changes.00000001").read_bytes() == damaged
    assert len(house.log.named("config.changes-aside")) == 1
    house.close()


def test_a_file_only_touched_is_written(house: House, tmp_path: Path) -> None:
    house.edit(BOB)
    house.path.write_text(FILE, encoding="utf-8")
    house.fold()
    assert "Robert" in house.text
    same_as_rebuilt(house, tmp_path)


@pytest.mark.parametrize("place", ["journal", "file"])
def test_a_full_disk_loses_nothing_that_was_acknowledged(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    house.edit(BOB)
    modules = {"journal": "whimbrel.backends.directory.journal.sync", "file": "whimbrel.backends.config.files.sync"}
    monkeypatch.setattr(modules[place], full)
    with pytest.raises(OSError, match="No space"):
        house.edit(GONE) if place == "journal" else house.fold()
    monkeypatch.undo()
    assert house.text == FILE
    house.abandon()
    house = House(tmp_path, "", journal=True)
    assert full_name(house, "bob") == "Robert"
    assert "<group" in house.text
    house.close()
    same_as_rebuilt(house, tmp_path)


def test_what_cannot_be_written_at_the_end_is_written_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    house = House(tmp_path, journal=True)
    house.edit(BOB)
    monkeypatch.setattr("whimbrel.backends.config.files.sync", full)
    house.close()
    assert len(house.log.named("config.not-written")) == 1
    house = House(tmp_path, "", journal=True)
    assert full_name(house, "bob") == "Robert"
    assert house.text == FILE
    assert len(house.log.named("config.not-written")) == 1
    monkeypatch.undo()
    house.close()
    assert "Robert" in house.text
    assert not house.changes.exists()


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / ".users.cfg.123.new").write_text("half")
    (tmp_path / ".users.cfg.bak").write_text("mine")
    House(tmp_path).close()
    assert [path.name for path in tmp_path.glob(".users.cfg*")] == [".users.cfg.bak"]


def test_a_check_and_a_refused_change_leave_no_trace(house: House) -> None:
    asyncio.run(house.editor.check([GONE]))
    with pytest.raises(ConfigError, match="exists already"):
        house.edit(BOB, add(Kind.USER, "example.org", "alice"))
    house.edit(put(Kind.USER, "example.org", "alice", quota="5G"))  # As it is.
    assert not house.editor._ledger.unwritten
    assert not house.changes.exists()
    house.edit(GONE)
    house.fold()
    assert "Robert" not in house.text


def test_a_number_of_a_removed_record_is_not_given_to_another(house: House, tmp_path: Path) -> None:
    house.edit(remove(Kind.USER, "second.example", "alice"), put(Kind.DOMAIN, "second.example", catch_all=None))
    house.edit(remove(Kind.DOMAIN, "empty.example"))
    house.edit(add(Kind.USER, "example.org", "new"), add(Kind.DOMAIN, "third.example"))
    house.fold()
    same_as_rebuilt(house, tmp_path)
    assert house.text.index('"new"') < house.text.index("second.example")


def test_a_former_version_is_put_back_after_what_was_pending(house: House, tmp_path: Path) -> None:
    house.edit(GONE)
    house.fold()
    house.edit(BOB)
    asyncio.run(house.editor.restore(1))
    assert house.text == FILE
    assert "Robert" in house.editor.former()[0].path.read_text(encoding="utf-8")
    same_as_rebuilt(house, tmp_path)
    house.edit(BOB)
    house.fold()
    same_as_rebuilt(house, tmp_path)


def test_an_import_and_a_small_file_do_not_use_the_journal(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True)
    house.edit(BOB)
    house.edit(*(add(Kind.USER, "example.org", f"user{n}") for n in range(1001)))
    assert "user1000" in house.text and "Robert" in house.text
    assert house.changes.read_bytes() == b""
    same_as_rebuilt(house, tmp_path)
    house.close()
    small = tmp_path / "small"
    small.mkdir()
    house = House(small)
    house.edit(GONE)
    assert "<group" not in house.text
    assert not house.changes.exists()
    house.close()


def test_the_journal_has_a_bound(house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("whimbrel.backends.directory.ledger._MAX_JOURNAL", 500)
    sizes = []
    for number in range(20):
        house.edit(add(Kind.USER, "example.org", f"user{number}"))
        sizes.append(house.changes.stat().st_size)
    assert max(sizes) < 800
    assert sizes.count(0) >= 3
    house.fold()
    same_as_rebuilt(house, tmp_path)


def test_the_file_is_written_a_moment_later_without_being_asked(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True, write_after=0)

    async def work() -> None:
        await house.editor.change([BOB])
        await house.editor.change([GONE])
        assert house.editor._later is not None
        await house.editor._later

    asyncio.run(work())
    assert "Robert" in house.text and "<group" not in house.text
    house.abandon()


def test_after_the_end_nothing_is_opened_again(tmp_path: Path) -> None:
    house = House(tmp_path, journal=True, write_after=0)

    async def work() -> None:
        await house.editor.change([BOB])
        later = house.editor._later
        assert later is not None
        house.close()
        await later

    asyncio.run(work())
    assert not house.editor._ledger._index.is_open
    assert "Robert" in house.text


def test_why_the_file_is_not_written_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    house = House(tmp_path, journal=True, write_after=0)
    monkeypatch.setattr("whimbrel.backends.directory.editor._RETRY_AFTER", 0)
    tries = 0

    def full(*_: object) -> None:
        nonlocal tries
        tries += 1
        if tries < 4:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("whimbrel.backends.config.files.sync", full)

    async def work() -> None:
        await house.editor.change([BOB])
        assert house.editor._later is not None
        await house.editor._later

    asyncio.run(work())
    assert tries == 4
    assert len(house.log.named("config.not-written")) == 1
    assert "Robert" in house.text
    house.close()


def during(monkeypatch: pytest.MonkeyPatch, work: Callable[[], object], fail: bool = False) -> None:
    """`work` happens while the next file is written, which then fails if so wished."""
    prepare = ConfigFile.prepare

    def prepared(file: ConfigFile, pieces: Iterable[bytes | memoryview]) -> Path:
        monkeypatch.setattr(ConfigFile, "prepare", prepare)
        made = prepare(file, pieces)
        work()
        if fail:
            file.discard(made)
            raise OSError(28, "No space left on device")
        return made

    monkeypatch.setattr(ConfigFile, "prepare", prepared)


@given(
    st.lists(st.lists(changes(), min_size=1, max_size=3), max_size=5),
    st.lists(st.lists(changes(), min_size=1, max_size=3), max_size=5),
    st.lists(st.lists(changes(), min_size=1, max_size=3), max_size=3),
    st.booleans(),
    st.booleans(),
)
@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_changes_while_the_file_is_written_belong_to_the_next(
    tmp_path_factory: pytest.TempPathFactory,
    before: list[list[DirectoryChange]],
    meanwhile: list[list[DirectoryChange]],
    after: list[list[DirectoryChange]],
    fails: bool,
    killed: bool,
) -> None:
    folder = tmp_path_factory.mktemp("house")
    house, plain = House(folder, journal=True), House(tmp_path_factory.mktemp("plain"))

    def make(calls: list[list[DirectoryChange]]) -> None:
        for call in calls:
            outcomes = []
            for each in (house, plain):
                try:
                    each.edit(*call)
                    outcomes.append("")
                except ConfigError as error:
                    outcomes.append(str(error))
            assert outcomes[0] == outcomes[1]

    with pytest.MonkeyPatch.context() as patched:
        make(before)
        during(patched, lambda: make(meanwhile), fails)
        try:
            house.fold()
        except OSError:
            assert fails
    make(after)
    if killed:
        house.abandon()
        house = House(folder, "", journal=True)
    house.fold()
    same_as_rebuilt(house, folder)
    same_as_rebuilt(plain, folder)
    ours, theirs = (records(each) for each in (house, plain))
    assert ours == theirs
    assert not house.log.named("config.changes-aside")
    house.close()
    plain.close()


def records(house: House) -> list[tuple[object, ...]]:
    """What the index says, but for where it stands."""
    return [row for row in contents(house.editor._ledger.connect()) if row[0] not in ("place", "meta")]


def test_an_unacknowledged_record_goes_when_the_index_cannot_take_it(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = Journal.append

    def broken(journal: Journal, base: str, calls: list[tuple[DirectoryChange, ...]]) -> None:
        append(journal, base, calls)
        raise OSError(5, "I/O error")

    house.edit(BOB)
    size = house.changes.stat().st_size
    monkeypatch.setattr(Journal, "append", broken)
    with pytest.raises(OSError):
        house.edit(GONE)
    monkeypatch.undo()
    assert house.changes.stat().st_size == size
    house.fold()
    assert "<group" in house.text and "Robert" in house.text


@pytest.mark.parametrize("fails", [True, False])
@pytest.mark.parametrize(
    "next_ones", [("example.net", "a.example", "b.example"), ("example.net", "c.example"), ("example.net", "b.example",
                  "c.example", "d.example")],
)  # fmt: skip
def test_a_domains_names_keep_their_order_whether_the_write_between_fails_or_not(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool, next_ones: tuple[str, ...]
) -> None:
    house.edit(put(Kind.DOMAIN, "example.org", domain_alias=("example.net", "a.example")))
    during(monkeypatch, lambda: house.edit(put(Kind.DOMAIN, "example.org", domain_alias=next_ones)), fails)
    try:
        house.fold()
    except OSError:
        assert fails
    house.fold()
    places = [house.text.index(f"<domain-alias>{name}<") for name in next_ones]
    assert places == sorted(places)
    assert house.text.count("<domain-alias>") == len(next_ones)
    same_as_rebuilt(house, tmp_path)


def test_a_comparison_in_a_thread_sees_one_state_while_records_are_added(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.path.write_text(FILE.replace("<quota>5G", "<quota>6G"), encoding="utf-8")
    whole = listing.Records

    def meanwhile(content: bytes, file: str, schema: Schema) -> listing.Records:
        with apsw.Connection(str(house.index)) as other:
            other.execute(
                "INSERT INTO node (id, kind, domain, name, fold, search, admin, data) "
                "SELECT id + 1000, kind, domain, name || '2', fold || '2', search, admin, data FROM node WHERE kind = 2"
            )
        return whole(content, file, schema)

    monkeypatch.setattr(listing, "Records", meanwhile)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        difference = pool.submit(house.editor.difference).result()
    assert "+user alice@example.org: quota: 6G\n" in difference and "alice2" not in difference
