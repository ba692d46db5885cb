"""Pages of records: any order, any filter, every record once whatever changes meanwhile, and how many there are."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.core.directory import DirectoryChange, Entry, Kind, Op, RecordPage
from whimbrel.core.listing import BadPlace, RecordQuery
from whimbrel.core.values import Size
from whimbrel.services.admin.people.records import RECORDS

USERS = RecordQuery(Kind.USER, limit=7)


class House:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        chance = random.Random(7)
        steps = [
            DirectoryChange(Op.ADD, Kind.DOMAIN, host, values={"primary": "yes" if host == "b.test" else None})
            for host in ("b.test", "a.test", "c.test")
        ]
        for number in range(60):
            values: dict[str, object] = {
                "quota": chance.choice([None, "50M", "2G", "900K"]),
                "full-name": chance.choice([None, "Ärne", "zoe", "Bob", "bob"]),
                "enabled": chance.choice([None, "no"]),
                "rights": chance.choice([None, "domain"]),
                "forward-to": chance.choice([None, ("x@remote.test",)]),
            }
            name = f"{chance.choice('xYz')}{number}"
            steps.append(
                DirectoryChange(Op.ADD, Kind.USER, chance.choice(["a.test", "b.test", "c.test"]), name, values)
            )
        self.run(lambda editor: editor.change(steps))

    def run(self, work: Callable[[DirectoryFile], Any]) -> Any:
        async def inside() -> Any:
            editor = DirectoryFile(self._folder / "users.cfg", self._folder / "users.idx", records=RECORDS)
            editor.open()
            try:
                return await work(editor)
            finally:
                editor.close()

        return asyncio.run(inside())

    def page(self, query: RecordQuery) -> RecordPage:
        page: RecordPage = self.run(lambda editor: editor.page(query))
        return page

    def change(self, *steps: DirectoryChange) -> None:
        self.run(lambda editor: editor.change(steps))

    def walk(self, query: RecordQuery, between: Callable[[int], None] = lambda _: None) -> list[Entry]:
        """All pages, each with the same total."""
        entries: list[Entry] = []
        while True:
            page = self.page(query)
            assert len(page.entries) <= query.limit
            entries += page.entries
            if not page.more:
                return entries
            query = replace(query, after=page.more)
            between(len(entries))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"))


def address(entry: Entry) -> tuple[str, str]:
    return entry.domain.casefold(), entry.name.casefold()


KEYS: dict[str, Callable[[Entry], Any]] = {
    "": lambda entry: 0,
    "quota": lambda entry: int(Size(str(entry.values["quota"]))),
    "full-name": lambda entry: str(entry.values["full-name"]).casefold(),
    "enabled": lambda entry: entry.values["enabled"],
    "forward-to": lambda entry: "".join(entry.values["forward-to"][:1]),
}


@pytest.mark.parametrize("descending", [False, True])
@pytest.mark.parametrize("sort", list(KEYS))
def test_pages_give_every_record_once_in_order(house: House, sort: str, descending: bool) -> None:
    entries = house.walk(replace(USERS, sort=sort, descending=descending))
    wanted = sorted(entries, key=lambda entry: (KEYS[sort](entry), *address(entry)), reverse=descending)
    assert [address(entry) for entry in entries] == [address(entry) for entry in wanted]
    assert len({address(entry) for entry in entries}) == 60 == house.page(replace(USERS, sort=sort)).total


def test_numbers_from_elsewhere_order_too(house: House) -> None:
    everybody = house.walk(USERS)
    ranks = {f"{entry.name}@{entry.domain}".casefold(): float(n % 5) for n, entry in enumerate(everybody) if n % 3}
    entries = house.walk(replace(USERS, ranks=ranks, descending=True))
    keys = [(ranks.get(f"{entry.name}@{entry.domain}".casefold(), 0.0), *address(entry)) for entry in entries]
    assert keys == sorted(keys, reverse=True) and len(keys) == 60


@pytest.mark.parametrize(
    ("more", "fits"),
    [
        ({"having": {"enabled": "no"}}, lambda entry: entry.values["enabled"] == "no"),
        ({"having": {"enabled": "yes", "rights": "none"}},
         lambda entry: (entry.values["enabled"], entry.values["rights"]) == ("yes", "none")),
        ({"filled": {"forward-to": True}}, lambda entry: bool(entry.values["forward-to"])),
        ({"filled": {"forward-to": False}}, lambda entry: not entry.values["forward-to"]),
        ({"domains": frozenset({"a.test", "c.test"})}, lambda entry: entry.domain != "b.test"),
        ({"domains": frozenset()}, lambda entry: False),
        ({"search": "ärne"}, lambda entry: entry.values["full-name"] == "Ärne"),
        ({"search": "BOB", "domains": frozenset({"b.test"})},
         lambda entry: str(entry.values["full-name"]).lower() == "bob" and entry.domain == "b.test"),
        ({"search": "%"}, lambda entry: False),
    ],
)  # fmt: skip
@pytest.mark.parametrize("sort", ["", "quota"])
def test_a_filter_means_what_fits_all_its_parts(
    house: House, more: dict[str, Any], fits: Callable[[Entry], bool], sort: str
) -> None:
    everybody = house.walk(USERS)
    query = replace(USERS, sort=sort, **more)
    wanted = {address(entry) for entry in everybody if fits(entry)}
    assert {address(entry) for entry in house.walk(query)} == wanted
    assert house.page(query).total == len(wanted)


def test_addresses_can_be_named_or_ruled_out(house: House) -> None:
    names = [f"{entry.name}@{entry.domain}".casefold() for entry in house.walk(USERS)]
    some = frozenset([*names[3:9], "gone@a.test"])
    assert [entry.name.casefold() for entry in house.walk(replace(USERS, among=some, limit=100))] == [
        name.partition("@")[0] for name in names[3:9]
    ]
    assert house.page(replace(USERS, outside=some)).total == 54
    assert house.page(replace(USERS, among=some, outside=frozenset(names[3:5]))).total == 4


@pytest.mark.parametrize("sort", ["", "full-name"])
def test_paging_is_stable_while_records_change(tmp_path: Path, sort: str) -> None:
    house = House(tmp_path)
    before = house.walk(replace(USERS, sort=sort))
    ending = iter([before[6], before[2]])

    def between(seen: int) -> None:
        """The last of what was shown goes, then another; somebody comes in front."""
        if gone := next(ending, None):
            house.change(
                DirectoryChange(Op.REMOVE, Kind.USER, gone.domain, gone.name),
                DirectoryChange(Op.ADD, Kind.USER, "a.test", f"a-new{seen}", {"full-name": None}),
            )

    entries = house.walk(replace(USERS, sort=sort), between)
    assert [address(entry) for entry in entries] == [address(entry) for entry in before]


def test_domains_are_records_too(house: House) -> None:
    assert [entry.domain for entry in house.walk(RecordQuery(Kind.DOMAIN, limit=2))] == ["a.test", "b.test", "c.test"]
    page = house.page(RecordQuery(Kind.DOMAIN, sort="primary", descending=True, limit=1))
    assert (page.entries[0].domain, page.total) == ("b.test", 3)
    assert house.page(RecordQuery(Kind.DOMAIN, domains=frozenset({"c.test"}))).total == 1


@pytest.mark.parametrize(
    "after",
    ["x@a.test", "[", "[1,2,3,4]", '["quota",{},"a.test","x"]', '["quota",1' + "0" * 400 + ',"a.test","x"]', "null"],
)
def test_a_place_of_another_order_is_refused(house: House, after: str) -> None:
    with pytest.raises(BadPlace):
        house.page(replace(USERS, sort="quota", after=after))


def test_no_record_no_page(tmp_path: Path) -> None:
    editor = DirectoryFile(tmp_path / "users.cfg", tmp_path / "users.idx", records=RECORDS)
    editor.open()
    assert asyncio.run(editor.page(USERS)) == RecordPage((), 0, "")
    editor.close()
