"""A change splices one record: all else in the file stays, the index follows, every rule is kept."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.backends.directory.files import FILE, House, add, put, remove, same_as_rebuilt
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.core.address import Address
from whimbrel.core.config import ConfigConflict, ConfigError, UnknownName
from whimbrel.core.directory import DirectoryChange, Entry, Kind, TargetKind


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path)
    yield made
    made.close()


def test_a_changed_record_is_the_only_difference(house: House, tmp_path: Path) -> None:
    house.edit(put(Kind.USER, "example.org", "ALICE", full_name="Alice <B>", quota=None, enabled=False))
    assert house.text == FILE.replace(
        '<full-name>Alice "A" Ä</full-name>\n', "<full-name>Alice &lt;B&gt;</full-name>\n      <enabled>no</enabled>\n"
    ).replace("      <quota>5G</quota>\n", "")
    same_as_rebuilt(house, tmp_path)


def test_a_removed_record_takes_its_line_and_no_remark(house: House, tmp_path: Path) -> None:
    house.edit(remove(Kind.USER, "example.org", "bob"), remove(Kind.USER, "example.org", "alice"))
    assert "alice" not in house.text.split("<alias")[0]
    assert "    <!-- Staff -->\n     <!-- sits by the window -->\n    <alias" in house.text
    same_as_rebuilt(house, tmp_path)


def test_new_records_stand_last_in_their_domain(house: House, tmp_path: Path) -> None:
    house.edit(
        add(Kind.USER, "second.example", "carol", full_name="Carol"),
        add(Kind.USER, "empty.example", "dave", alias=("d",)),
        add(Kind.GROUP, "empty.example", "all", members=["dave"]),
    )
    assert house.text == FILE.replace(
        "server-write</rights></user>\n  </domain>",
        'server-write</rights></user>\n    <user name="carol">\n      <full-name>Carol</full-name>\n'
        "    </user>\n  </domain>",
    ).replace(
        '  <domain name="empty.example"/>\n',
        '  <domain name="empty.example">\n    <user name="dave">\n      <alias>d</alias>\n    </user>\n'
        '    <group name="all">\n      <member>dave</member>\n    </group>\n  </domain>\n',
    )
    same_as_rebuilt(house, tmp_path)


def test_a_domains_own_settings_are_changed_in_place(house: House, tmp_path: Path) -> None:
    house.edit(put(Kind.DOMAIN, "example.org", domain_alias=("example.net", "example.info"), description="A & B"))
    assert house.text == FILE.replace(
        '<domain name="example.org">\n',
        '<domain name="example.org">\n    <description>A &amp; B</description>\n',
    ).replace(
        "example.net</domain-alias>\n", "example.net</domain-alias>\n    <domain-alias>example.info</domain-alias>\n"
    )
    same_as_rebuilt(house, tmp_path)
    house.edit(put(Kind.DOMAIN, "example.org", domain_aliases=None))
    assert "domain-alias" not in house.text
    same_as_rebuilt(house, tmp_path)
    house.edit(put(Kind.DOMAIN, "example.org", domain_alias=("x.example", "y.example")))
    house.edit(put(Kind.DOMAIN, "example.org", domain_alias=("z.example", "y.example", "x.example")))
    same_as_rebuilt(house, tmp_path)


def test_the_primary_domain_moves_in_one_change(house: House, tmp_path: Path) -> None:
    house.edit(put(Kind.DOMAIN, "second.example", primary=True))
    assert house.text.count("<primary>yes</primary>") == 1
    assert asyncio.run(house.reader.primary()).name == "second.example"
    same_as_rebuilt(house, tmp_path)
    house.edit(put(Kind.DOMAIN, "second.example", primary="no"), put(Kind.DOMAIN, "example.org", primary="yes"))
    assert asyncio.run(house.reader.primary()).name == "example.org"
    same_as_rebuilt(house, tmp_path)


def test_a_domain_and_its_people_come_in_one_change(tmp_path: Path) -> None:
    house = House(tmp_path, "")
    house.edit(
        add(Kind.DOMAIN, "Example.ORG", description="We"),
        add(Kind.USER, "example.org", "alice", rights="server-write"),
        add(Kind.DOMAIN, "other.example"),
        add(Kind.ALIAS, "example.org", "info", to="alice, x@y.example"),
        put(Kind.USER, "example.org", "alice", quota="1G"),
    )
    assert house.text == (
        '<?xml version="1.0" encoding="UTF-8"?>\n<users version="1.0">\n'
        '  <domain name="example.org">\n    <primary>yes</primary>\n    <description>We</description>\n'
        '    <user name="alice">\n      <rights>server-write</rights>\n      <quota>1G</quota>\n    </user>\n'
        '    <alias name="info">\n      <to>alice</to>\n      <to>x@y.example</to>\n    </alias>\n  </domain>\n'
        '  <domain name="other.example"></domain>\n</users>\n'
    )
    assert house.path.stat().st_mode & 0o777 == 0o600
    assert house.index.stat().st_mode & 0o777 == 0o600
    same_as_rebuilt(house, tmp_path)
    house.edit(remove(Kind.DOMAIN, "other.example"))
    assert "other" not in house.text
    same_as_rebuilt(house, tmp_path)
    house.close()


@pytest.mark.parametrize(
    "change, words",
    [
        (add(Kind.USER, "example.org", "Alice"), "exists already"),
        (add(Kind.USER, "example.org", "info"), "'info' is already a name of alias 'info'"),
        (add(Kind.USER, "example.org", "BOSS"), "'BOSS' is already a name of user 'alice'"),
        (add(Kind.USER, "example.org", "x", alias=("all",)), "'all' is already a name of group 'all'"),
        (add(Kind.USER, "example.org", "../../x"), "user ../../x@example.org: name"),
        (add(Kind.USER, "example.org", "a\nb"), "control characters"),
        (add(Kind.USER, "example.org", "x", full_name="a\x00b"), "control characters"),
        (add(Kind.USER, "example.org", "x", quota="lots", fulname="y"), "quota: 'lots' is not a size"),
        (add(Kind.USER, "example.org", "x", fulname="y"), "did you mean 'full-name'?"),
        (add(Kind.USER, "example.org", "x", password="hunter2"), "a verifier is meant"),
        (add(Kind.ALIAS, "example.org", "y"), "needs at least one 'to'"),
        (add(Kind.ALIAS, "example.org", "SHOP-*", to="alice"), "exists already"),
        (
            put(Kind.GROUP, "example.org", "all", member=("alice", "ALL@example.net")),
            "all@example.org -> all@example.org",
        ),
        (put(Kind.ALIAS, "example.org", "info", to=("all",)), ""),
        (add(Kind.DOMAIN, "example.net"), "already a name of the domain 'example.org'"),
        (add(Kind.DOMAIN, "a/../b"), "is not a domain name"),
        (put(Kind.DOMAIN, "example.org", primary="no"), "but none is"),
        (put(Kind.DOMAIN, "second.example", domain_alias=("empty.example",)), "already a name of the domain"),
        (remove(Kind.DOMAIN, "second.example"), "holds 1 user; remove them first"),
        (put(Kind.DOMAIN, "example.net", description="x"), "it is an alias of example.org"),
    ],
)
def test_a_change_that_breaks_a_rule_changes_nothing(
    house: House, tmp_path: Path, change: DirectoryChange, words: str
) -> None:
    if not words:
        house.edit(change)
        change, words = put(Kind.GROUP, "example.org", "all", member=("info",)), "info@example.org -> all@example.org"
    before = house.text
    with pytest.raises(ConfigError) as caught:
        house.edit(add(Kind.USER, "example.org", "before"), change, add(Kind.USER, "example.org", "after"))
    assert words in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert house.text == before
    same_as_rebuilt(house, tmp_path)


@pytest.mark.parametrize(
    "change",
    [put(Kind.USER, "example.org", "nobody"), remove(Kind.ALIAS, "example.org", "alice"),
     add(Kind.USER, "exmaple.org", "x"),
     remove(Kind.DOMAIN, "no.example")],
)  # fmt: skip
def test_what_is_not_there_is_unknown(house: House, change: DirectoryChange) -> None:
    with pytest.raises(UnknownName):
        house.edit(change)


def test_the_primary_domain_is_not_removed_before_another_is_primary(house: House) -> None:
    house.edit(remove(Kind.USER, "example.org", "alice"), remove(Kind.USER, "example.org", "bob"))
    with pytest.raises(ConfigError, match="is the primary domain"):
        house.edit(remove(Kind.DOMAIN, "example.org"))


def test_an_edit_made_outside_is_not_overwritten_but_shown(house: House, tmp_path: Path) -> None:
    edited = FILE.replace("$argon2id$alice", "$argon2id$mallory").replace("<quota>5G", "<quota>6G").replace(
        '<group name="all"><member>alice</member><member>bob@example.org</member></group>', '<user name="new"/>'
    )  # fmt: skip
    house.path.write_text(edited, encoding="utf-8")
    with pytest.raises(ConfigConflict) as caught:
        house.edit(put(Kind.USER, "example.org", "bob", full_name="B"))
    assert caught.value.difference == house.editor.difference()
    assert "-user alice@example.org: quota: 5G\n" in caught.value.difference
    assert "+user alice@example.org: quota: 6G\n" in caught.value.difference
    assert "+user new@example.org\n" in caught.value.difference
    assert "-group all@example.org: member: alice\n" in caught.value.difference
    assert "argon2id" not in caught.value.difference
    assert "-user alice@example.org: password: ********" in caught.value.difference
    assert house.text == edited
    assert asyncio.run(house.reader.sign_in("new")) is None
    assert asyncio.run(house.editor.reload())
    house.reader.refresh()
    assert asyncio.run(house.reader.sign_in("new")) is not None
    house.edit(put(Kind.USER, "example.org", "bob", full_name="B"))
    same_as_rebuilt(house, tmp_path)


def test_ours_can_be_kept(house: House, tmp_path: Path) -> None:
    house.path.write_text("<users/>")
    asyncio.run(house.editor.keep())
    assert asyncio.run(house.reader.sign_in("alice")) is not None
    assert house.editor.difference() == ""
    assert house.editor.former()[0].path.read_text() == "<users/>"
    same_as_rebuilt(house, tmp_path)


def test_remarks_alone_are_a_difference_too(house: House) -> None:
    house.path.write_text(FILE.replace("Staff", "People"), encoding="utf-8")
    with pytest.raises(ConfigConflict, match="changed outside"):
        house.edit(remove(Kind.GROUP, "example.org", "all"))
    assert house.editor.difference() == "users.cfg: only remarks or layout differ\n"


def test_a_file_that_was_only_touched_is_no_conflict(house: House) -> None:
    house.path.write_text(FILE, encoding="utf-8")
    os.utime(house.path, (1, 1))
    house.edit(remove(Kind.GROUP, "example.org", "all"))
    assert not house.editor.open()


def test_a_file_that_is_gone_is_a_conflict(house: House) -> None:
    house.path.unlink()
    with pytest.raises(ConfigConflict):
        house.edit(remove(Kind.GROUP, "example.org", "all"))


def test_a_former_version_is_put_back(house: House, tmp_path: Path) -> None:
    house.edit(remove(Kind.GROUP, "example.org", "all"))
    number = house.editor.former()[0].number
    assert "+group all@example.org" in house.editor.difference_to(number)
    asyncio.run(house.editor.restore(number))
    assert house.text == FILE
    same_as_rebuilt(house, tmp_path)
    with pytest.raises(LookupError):
        asyncio.run(house.editor.restore(99))


def test_a_write_that_fails_leaves_file_and_index(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("whimbrel.backends.config.files.sync", full)
    with pytest.raises(OSError, match="No space"):
        house.edit(remove(Kind.GROUP, "example.org", "all"))
    monkeypatch.undo()
    assert house.text == FILE
    same_as_rebuilt(house, tmp_path)
    house.edit(remove(Kind.GROUP, "example.org", "all"))
    same_as_rebuilt(house, tmp_path)


def test_a_crash_between_file_and_index_makes_the_file_count(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.close()
    before = house.index.read_bytes()
    house = House(tmp_path, "")
    house.edit(add(Kind.USER, "example.org", "late"))
    house.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{house.index}{suffix}").unlink(missing_ok=True)
    house.index.write_bytes(before)
    house = House(tmp_path, "")
    assert asyncio.run(house.reader.sign_in("late")) is not None
    same_as_rebuilt(house, tmp_path)
    house.close()


@pytest.mark.parametrize("damage", [b"", b"rubbish" * 1000])
def test_a_damaged_index_is_built_anew(tmp_path: Path, damage: bytes) -> None:
    house = House(tmp_path)
    house.close()
    for suffix in ("-wal", "-shm"):
        Path(f"{house.index}{suffix}").unlink(missing_ok=True)
    house.index.write_bytes(damage)
    house = House(tmp_path, "")
    assert asyncio.run(house.reader.sign_in("alice")) is not None
    house.close()


def test_a_worker_sees_a_change_within_its_interval_or_when_told(house: House) -> None:
    worker = IndexDirectory(house.index, monotonic=lambda: house.time)
    address = Address.parse("late@example.org")
    assert asyncio.run(worker.resolve(address)) is None
    house.edit(add(Kind.USER, "example.org", "late"))
    assert asyncio.run(worker.resolve(address)) is None
    house.time += 0.051
    assert asyncio.run(worker.resolve(address)) is not None
    house.edit(remove(Kind.USER, "example.org", "late"))
    worker.refresh()
    assert asyncio.run(worker.resolve(address)) is None
    worker.close()


def test_a_worker_follows_an_index_that_was_replaced(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert asyncio.run(house.reader.sign_in("alice")) is not None
    house.editor.close()
    for suffix in ("", "-wal", "-shm"):
        Path(f"{house.index}{suffix}").unlink(missing_ok=True)
    house.editor.open()
    house.edit(remove(Kind.USER, "example.org", "alice"))
    house.time += 1
    assert asyncio.run(house.reader.sign_in("alice")) is None
    house.close()


def test_changes_that_come_together_share_a_write_and_fail_alone(house: House, tmp_path: Path) -> None:
    async def together() -> list[BaseException | None]:
        jobs = [house.editor.change([add(Kind.USER, "example.org", name)]) for name in ("a", "b", "alice", "c", "x/y")]
        return await asyncio.gather(*jobs, return_exceptions=True)

    results = asyncio.run(together())
    assert [type(result) for result in results] == [type(None), type(None), ConfigError, type(None), ConfigError]
    assert len(house.editor.former()) == 1
    assert house.told == 1
    same_as_rebuilt(house, tmp_path)


def test_a_check_changes_nothing(house: House) -> None:
    asyncio.run(house.editor.check([add(Kind.USER, "example.org", "x")]))
    with pytest.raises(ConfigError, match="exists already"):
        asyncio.run(house.editor.check([add(Kind.USER, "example.org", "alice")]))
    assert house.text == FILE
    house.edit(add(Kind.USER, "example.org", "x"))


def test_verifying_reads_the_file_and_leaves_all(house: House) -> None:
    house.editor.verify()
    house.path.write_text("<users><x/></users>")
    with pytest.raises(ConfigError, match=r"users\.cfg:1: x: unknown"):
        house.editor.verify()
    assert asyncio.run(house.reader.sign_in("alice")) is not None


def test_entries_are_listed_searched_and_paged(house: House) -> None:
    def names(kind: Kind, **wanted: object) -> list[str]:
        found: list[Entry] = asyncio.run(house.editor.entries(kind, **wanted))  # type: ignore[arg-type]
        return [f"{entry.name}@{entry.domain}" if entry.name else entry.domain for entry in found]

    assert names(Kind.DOMAIN) == ["empty.example", "example.org", "second.example"]
    assert names(Kind.DOMAIN, after="empty.example", limit=1) == ["example.org"]
    assert names(Kind.USER) == ["alice@example.org", "Bob@example.org", "alice@second.example"]
    assert names(Kind.USER, limit=2, after="alice@example.org") == ["Bob@example.org", "alice@second.example"]
    assert names(Kind.USER, domain="example.net") == ["alice@example.org", "Bob@example.org"]
    assert names(Kind.USER, search='ICE "A" ä') == ["alice@example.org"]
    assert names(Kind.USER, search="%") == names(Kind.USER, search="_") == []
    assert names(Kind.ALIAS) == ["info@example.org", "shop-*@example.org", "shop-?x@example.org"]
    alice = asyncio.run(house.editor.entry(Kind.USER, "example.net", "ALICE"))
    assert alice is not None
    assert (alice.domain, alice.name) == ("example.org", "alice")
    assert alice.values["quota"] == "5G"
    assert alice.values["enabled"] == "yes"
    assert alice.values["alias"] == ("boss",)
    assert alice.values["password"] == "********"
    assert asyncio.run(house.editor.entry(Kind.USER, "example.org", "nobody")) is None


def test_who_stops_waiting_leaves_the_change_to_be_made(house: House, tmp_path: Path) -> None:
    async def impatient() -> None:
        job = asyncio.create_task(house.editor.change([add(Kind.USER, "example.org", "x")]))
        bad = asyncio.create_task(house.editor.change([add(Kind.USER, "example.org", "alice")]))
        await asyncio.sleep(0)
        job.cancel()
        bad.cancel()
        await asyncio.gather(job, bad, return_exceptions=True)
        await house.editor.change([add(Kind.USER, "example.org", "y")])

    asyncio.run(impatient())
    assert asyncio.run(house.reader.sign_in("x")) is not None
    same_as_rebuilt(house, tmp_path)


def test_some_thousands_of_users_come_in_one_write(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.edit(
        *(add(Kind.USER, "example.org", f"user{n}", full_name=f"User {n}", alias=(f"u{n}",)) for n in range(3000))
    )
    assert len(house.editor.former()) == 1
    house.edit(*(put(Kind.USER, "example.org", f"user{n}", quota="1G") for n in range(0, 3000, 7)))
    house.edit(*(remove(Kind.USER, "example.org", f"user{n}") for n in range(0, 3000, 3)))
    house.edit(put(Kind.USER, "example.org", "user1000", full_name="Changed"))
    target = asyncio.run(house.reader.resolve(Address.parse("u1000@example.org")))
    assert target is not None
    assert target.kind is TargetKind.ACCOUNT
    assert target.account is not None
    assert target.account.full_name == "Changed"
    same_as_rebuilt(house, tmp_path)
    house.close()


NAMES = st.sampled_from(["alice", "bob", "carol", "dave", "info", "all", "shop-*", "x?"])
DOMAINS = st.sampled_from(["example.org", "second.example", "empty.example", "new.example"])
RECORDS = st.sampled_from([Kind.USER, Kind.ALIAS, Kind.GROUP])
VALUES = {
    Kind.USER: st.fixed_dictionaries(
        {}, optional={"full-name": st.sampled_from(["A <B> & C", " x ", "", None]), "enabled": st.booleans(),
                      "alias": st.lists(st.sampled_from(["p", "q", "r"]), unique=True), "keep-copy": st.just("no")}),
    Kind.ALIAS: st.fixed_dictionaries({"to": st.lists(NAMES.filter(str.isalpha), min_size=1, max_size=3)}),
    Kind.GROUP: st.fixed_dictionaries(
        {}, optional={"member": st.lists(NAMES.filter(str.isalpha), max_size=3), "description": st.just("d")}),
    Kind.DOMAIN: st.fixed_dictionaries(
        {}, optional={"description": st.sampled_from(["one", "two", ""]), "primary": st.booleans(),
                      "domain-alias": st.lists(st.sampled_from(["a.example", "b.example", "c.example"]), unique=True),
                      "catch-all": st.sampled_from(["alice", ""])}),
}  # fmt: skip


@st.composite
def changes(draw: st.DrawFn) -> DirectoryChange:
    kind = draw(st.sampled_from([Kind.DOMAIN, Kind.USER, Kind.USER, Kind.ALIAS, Kind.GROUP]))
    make = draw(st.sampled_from([add, add, put, put, remove]))
    name = "" if kind is Kind.DOMAIN else draw(NAMES)
    made = make(kind, draw(DOMAINS), name)
    values = {} if make is remove else draw(VALUES[kind])
    return DirectoryChange(made.op, kind, made.domain, name, values)


@given(st.lists(st.lists(changes(), min_size=1, max_size=4), max_size=8), st.booleans())
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_after_any_changes_the_index_is_that_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, requests: list[list[DirectoryChange]], together: bool
) -> None:
    folder = tmp_path_factory.mktemp("house")
    house = House(folder)
    try:
        if together:
            for error in house.editor._write([tuple(request) for request in requests]):
                assert error is None or isinstance(error, ConfigError)
        else:
            for request in requests:
                try:
                    house.edit(*request)
                except ConfigError:
                    pass
        same_as_rebuilt(house, folder)
        for remark in ("Our people", "Head office", "The end"):
            assert remark in house.text
    finally:
        house.close()
