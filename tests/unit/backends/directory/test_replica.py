"""People of a directory service: nobody goes because it failed, or answered empty or in part."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.backends.directory.files import House
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.directory.replica import FEW, Refreshed, Replica, ReplicaReader
from whimbrel.core.address import Address
from whimbrel.core.directory import Replicated, TargetKind
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId


def person(number: int, **more: object) -> Replicated:
    texts = {"full-name": f"Person {number}"} | {name: str(value) for name, value in more.items()}
    return Replicated(f"uid-{number}", "example.org", f"p{number}", texts)


PEOPLE = [person(number) for number in range(40)]


@pytest.fixture
def replica(tmp_path: Path) -> Replica:
    replica = Replica(tmp_path / "people-x.idx")
    assert replica.refresh(PEOPLE, whole=True) == Refreshed(40, 40, 0, 0)
    return replica


def reader(tmp_path: Path) -> ReplicaReader:
    return ReplicaReader("x", tmp_path / "people-x.idx")


@pytest.mark.parametrize(
    ("answer", "whole"), [([], True), ([], False), (PEOPLE[:39], False), (PEOPLE[:20], True), (PEOPLE[:1], True)]
)
def test_nobody_goes_by_an_answer_that_is_empty_in_part_or_unlikely(
    replica: Replica, tmp_path: Path, answer: list[Replicated], whole: bool
) -> None:
    found = replica.refresh(answer, whole=whole)
    assert (found.gone, found.held_back) == (0, 40 - len(answer))
    assert reader(tmp_path).find("example.org", "p39") is not None


def test_who_is_missing_in_a_whole_answer_goes(replica: Replica, tmp_path: Path) -> None:
    assert replica.refresh(PEOPLE[: 40 - FEW], whole=True) == Refreshed(35, 0, FEW, 0)
    source = reader(tmp_path)
    assert source.find("example.org", "p39") is None and source.find("example.org", "p0") is not None
    assert source.search(("p39",), None, 10) == []


def test_many_go_if_an_administrator_says_so(replica: Replica) -> None:
    assert replica.refresh(PEOPLE[:1], whole=True, accept_gone=True).gone == 39


def test_a_new_name_is_no_new_person(replica: Replica, tmp_path: Path) -> None:
    """Identity is what the service never changes."""
    moved = Replicated("uid-1", "example.org", "renamed", {"full-name": "Person 1"})
    assert replica.refresh([moved, *PEOPLE[:1], *PEOPLE[2:]], whole=True) == Refreshed(40, 1, 0, 0)
    source = reader(tmp_path)
    assert source.find("example.org", "p1") is None
    found = source.find("example.org", "renamed")
    assert found is not None and found.uid == "uid-1"


def test_while_nothing_was_replicated_nobody_can_be_said_not_to_exist(tmp_path: Path) -> None:
    house = House(tmp_path)
    directory = IndexDirectory(house.index, sources=[reader(tmp_path)])

    def ask() -> None:
        asyncio.run(directory.resolve(Address.parse("nobody@example.org")))

    with pytest.raises(MailError) as told:
        ask()
    assert told.value.code == 451
    replica = Replica(tmp_path / "people-x.idx")
    for answer, whole in (([], True), (PEOPLE[:3], False)):
        replica.refresh(answer, whole=whole)
        with pytest.raises(MailError):
            ask()
    replica.refresh(PEOPLE, whole=True)
    directory.refresh()
    ask()
    house.close()


def test_a_change_is_seen_at_once_by_who_asked_before(replica: Replica, tmp_path: Path) -> None:
    house = House(tmp_path)
    directory = IndexDirectory(house.index, sources=[reader(tmp_path)], monotonic=lambda: house.time)
    before = asyncio.run(directory.account(AccountId("p1@example.org")))
    assert before is not None and (before.full_name, before.source) == ("Person 1", "x")
    replica.refresh([person(1, quota="7G")], whole=False)
    house.time += 1
    after = asyncio.run(directory.account(AccountId("p1@example.org")))
    assert after is not None and after.quota_bytes == 7 << 30
    house.close()


def test_a_record_in_the_file_lies_over_the_person_and_its_password_counts(replica: Replica, tmp_path: Path) -> None:
    text = """<users version="1.0"><domain name="example.org"><primary>yes</primary>
      <user name="p1"><quota>1G</quota></user>
      <user name="p2"><password>$argon2id$own</password></user>
      <alias name="p*"><to>p1</to></alias></domain></users>"""
    house = House(tmp_path, text)
    directory = IndexDirectory(house.index, sources=[reader(tmp_path)])
    p1, p2 = (asyncio.run(directory.account(AccountId(f"{name}@example.org"))) for name in ("p1", "p2"))
    assert p1 is not None and p2 is not None
    assert (p1.full_name, p1.quota_bytes, p1.source) == ("Person 1", 1 << 30, "x")
    assert (p2.password.reveal(), p2.source) == ("$argon2id$own", "")
    for name, kind in (("p3", TargetKind.ACCOUNT), ("p99", TargetKind.ALIAS)):
        target = asyncio.run(directory.resolve(Address(name, "example.org")))
        assert target is not None and target.kind is kind
    house.close()
