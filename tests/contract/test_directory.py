"""What every Directory answers, whatever it keeps its people in."""

import asyncio
from collections.abc import Coroutine, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from tests.unit.backends.directory.files import FILE, House
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.directory.replica import Replica, ReplicaReader
from whimbrel.core.address import Address
from whimbrel.core.directory import Directory, Kind, Replicated, Rights, Target, TargetKind
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId

T = TypeVar("T")
BOB = '<user name="Bob"><forward-to>bob@elsewhere.example</forward-to><forward-to>alice</forward-to></user>'
OVERLAID = FILE.replace(f"    {BOB}\n", "").replace('<full-name>Alice "A" Ä</full-name>', "")
REPLICATED = (
    Replicated("1", "example.org", "alice", {"full-name": 'Alice "A" Ä', "quota": "1G"}),
    Replicated("2", "example.org", "Bob", {"forward-to": ("bob@elsewhere.example", "alice")}),
)
"""Of alice the file says the rest, and another quota; of Bob it knows nothing."""


@pytest.fixture(params=["file", "replicated"])
def directory(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[IndexDirectory]:
    """example.org (primary, alias example.net), second.example, empty.example with the people of files.FILE; or some of
    them, and some of what is said of them, replicated from a directory service."""
    if request.param == "file":
        house = House(tmp_path)
        yield house.reader
        house.close()
        return
    house = House(tmp_path, OVERLAID)
    replica = Replica(tmp_path / "people-x.idx")
    replica.refresh(REPLICATED, whole=True)
    source = ReplicaReader("x", tmp_path / "people-x.idx")
    yield IndexDirectory(house.index, sources=[source])
    source.close()
    replica.close()
    house.close()


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def resolved(directory: Directory, address: str) -> Target | None:
    return run(directory.resolve(Address.parse(address)))


def test_a_user_is_found_in_any_case_and_by_a_further_name(directory: Directory) -> None:
    for address in (
        "alice@example.org",
        "ALICE@Example.ORG",
        "boss@example.org",
        "Boss@example.net",
        "alice@example.net",
    ):
        target = resolved(directory, address)
        assert target is not None
        assert target.kind is TargetKind.ACCOUNT
        assert target.account is not None
        assert target.account.id == "alice@example.org"
    bob = resolved(directory, "bob@example.org")
    assert bob is not None and bob.account is not None
    assert (bob.account.id, str(bob.account.address)) == ("bob@example.org", "Bob@example.org")


def test_an_account_has_all_its_values(directory: Directory) -> None:
    alice = run(directory.account(AccountId("alice@example.org")))
    assert alice is not None
    assert (alice.full_name, alice.enabled, alice.rights) == ('Alice "A" Ä', True, Rights.SERVER_WRITE)
    assert (alice.quota_bytes, alice.quota_messages, alice.max_message_size) == (5 << 30, 0, 0)
    assert alice.password.reveal() == "$argon2id$alice"
    bob = run(directory.account(AccountId("bob@example.org")))
    assert bob is not None
    assert [str(address) for address in bob.forward_to] == ["bob@elsewhere.example", "alice@example.org"]
    assert bob.keep_copy


def test_the_same_name_in_two_domains_is_two_users(directory: Directory) -> None:
    one = run(directory.sign_in("alice@example.org"))
    two = run(directory.sign_in("alice@second.example"))
    assert one is not None and two is not None
    assert one.id != two.id
    assert not two.enabled


def test_the_bare_name_is_the_primary_domains(directory: Directory) -> None:
    found = run(directory.sign_in("Alice"))
    assert found is not None
    assert found.id == "alice@example.org"


@pytest.mark.parametrize(
    "name",
    ["boss", "boss@example.org", "info", "all", "nobody", "nobody@example.org", "alice@unknown.example", "", "@",
     "alice@",
     "@example.org", "x" * 5000, "alice@second.example@example.org", "a'; DROP TABLE node; --", "\x00", "%", "alice ",
     "alice@example.org\x00"],
)  # fmt: skip
def test_others_do_not_sign_in(directory: Directory, name: str) -> None:
    assert run(directory.sign_in(name)) is None


def test_aliases_and_groups_are_followed_one_step(directory: Directory) -> None:
    assert resolved(directory, "info@example.org") == Target(
        TargetKind.ALIAS,
        "info@example.org",
        members=(Address.parse("alice@example.org"), Address.parse("x@remote.example")),
    )
    assert resolved(directory, "all@example.net") == Target(
        TargetKind.GROUP,
        "all@example.org",
        members=(Address.parse("alice@example.org"), Address.parse("bob@example.org")),
    )


def test_wildcards_come_after_exact_names_and_in_order(directory: Directory) -> None:
    for address in ("shop-1@example.org", "SHOP-@example.org", "shop-1x@example.org"):
        target = resolved(directory, address)
        assert target is not None
        assert (target.kind, target.name) == (TargetKind.ALIAS, "shop-*@example.org")
    assert resolved(directory, "workshop-1@example.org") is None


def test_the_catch_all_is_last_and_of_its_domain_alone(directory: Directory) -> None:
    assert resolved(directory, "anyone@second.example") == Target(
        TargetKind.CATCH_ALL, "*@second.example", members=(Address.parse("alice@second.example"),)
    )
    alice = resolved(directory, "alice@second.example")
    assert alice is not None
    assert alice.kind is TargetKind.ACCOUNT
    assert resolved(directory, "anyone@example.org") is None


@pytest.mark.parametrize(
    "address", ["alice@elsewhere.example", "alice@[127.0.0.1]", "alice@sub.example.org", "x@empty.example"]
)
def test_what_is_not_ours_is_unknown(directory: Directory, address: str) -> None:
    assert resolved(directory, address) is None


def test_domains_tell_of_themselves(directory: Directory) -> None:
    assert [domain.name for domain in run(directory.domains())] == ["empty.example", "example.org", "second.example"]
    assert run(directory.primary()).name == "example.org"
    by_alias = run(directory.domain("Example.NET"))
    assert by_alias is not None
    assert (by_alias.name, by_alias.primary, by_alias.aliases) == ("example.org", True, ("example.net",))
    second = run(directory.domain("second.example"))
    assert second is not None
    assert second.max_message_size == 1 << 20
    for name in ("elsewhere.example", "..", "", "a b", "x" * 500):
        assert run(directory.domain(name)) is None


def test_administrators_are_the_enabled_ones_with_all_rights(directory: Directory) -> None:
    assert [account.id for account in run(directory.administrators())] == ["alice@example.org"]


def test_answers_may_be_asked_for_any_number_of_times(directory: Directory) -> None:
    first = [resolved(directory, f"user{n}@example.org") for n in range(10_000)]
    assert first == [None] * 10_000
    assert resolved(directory, "alice@example.org") is not None


def test_without_any_domain_mail_is_put_off(tmp_path: Path) -> None:
    house = House(tmp_path, "")
    with pytest.raises(MailError) as caught:
        run(house.reader.primary())
    assert caught.value.temporary
    assert run(house.reader.domains()) == ()
    house.close()


def names(directory: IndexDirectory, prefix: str, **more: Any) -> list[str]:
    return [str(each.address) for each in run(directory.people(prefix, **more))]


@pytest.mark.parametrize(
    ("prefix", "addresses"),
    [
        ("al", ["alice@example.org", "all@example.org"]),
        ("ALI", ["alice@example.org"]),
        ("a ali", ["alice@example.org"]),
        ("ä", ["alice@example.org"]),
        ("boss", ["alice@example.org"]),
        ("alice@exam", ["alice@example.org"]),
        ("bob", ["Bob@example.org"]),
        ("info", []),
        ("lice", []),
        ("", []),
        ("  ", []),
        ("%", []),
        ("x" * 5000, []),
        ("a'; DROP TABLE word; --", []),
    ],
)
def test_people_are_found_by_the_beginning_of_each_word(
    directory: IndexDirectory, prefix: str, addresses: list[str]
) -> None:
    """alice@second.example may not sign in, and an alias is nobody."""
    assert names(directory, prefix) == addresses


def test_people_are_told_with_their_names_and_kinds(directory: IndexDirectory) -> None:
    alice, team = run(directory.people("al"))
    assert (team.kind, team.name, str(team.address)) == (Kind.GROUP, "", "all@example.org")
    assert (alice.kind, alice.name) == (Kind.USER, 'Alice "A" Ä')


def test_people_of_other_domains_are_seen_only_by_who_may(directory: IndexDirectory) -> None:
    assert names(directory, "al", domains=frozenset({"second.example"})) == []
    assert names(directory, "al", domains=frozenset()) == []
    assert names(directory, "al", domains=frozenset({"example.org"}), limit=1) != []


def test_no_more_are_told_than_asked_for(directory: IndexDirectory) -> None:
    assert len(names(directory, "a", limit=1)) == 1
    assert names(directory, "a", limit=0) == names(directory, "a", limit=-5) == []
