"""Templates in users.cfg: remarks around them survive, their names are no addresses, and their file says so."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.backends.directory.files import FILE, House, add, put, remove, same_as_rebuilt
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.core.address import Address
from whimbrel.core.config import ConfigError
from whimbrel.core.directory import Kind
from whimbrel.services.admin.people.records import RECORDS

TEMPLATE = """    <!-- Since the merger -->
    <template name="Clerk"> <!-- asked for by HR -->
      <quota>2G</quota> <!-- as the contract says -->
      <group>all</group>
    </template>
"""
WITH = FILE.replace('    <user name="Bob">', f'{TEMPLATE}    <user name="Bob">').replace('"1.0">', '"1.1">')


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path, WITH)


def test_a_change_leaves_remarks_and_order(house: House, tmp_path: Path) -> None:
    house.edit(put(Kind.TEMPLATE, "example.org", "clerk", quota="3G", clean_out=("deleted 30d",)))
    assert house.text == WITH.replace("2G", "3G").replace(
        "<group>all</group>\n", "<group>all</group>\n      <clean-out>deleted 30d</clean-out>\n"
    )
    same_as_rebuilt(house, tmp_path)
    house.close()


def test_it_is_added_last_in_its_domain_and_removed_alone(house: House, tmp_path: Path) -> None:
    house.edit(add(Kind.TEMPLATE, "second.example", "staff", quota="1G"))
    assert house.text.index('<template name="staff">') > house.text.index('<user name="alice"><enabled>')
    house.edit(remove(Kind.TEMPLATE, "second.example", "staff"))
    assert house.text == WITH
    same_as_rebuilt(house, tmp_path)
    house.close()


def test_a_file_with_a_template_says_that_it_is_of_this_release(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert '<users version="1.0">' in house.text
    house.edit(add(Kind.TEMPLATE, "example.org", "clerk", quota="1G"))
    assert '<users version="1.1">' in house.text
    house.close()


def test_its_name_is_no_address_and_may_be_anybodys(house: House) -> None:
    asked = asyncio.run(house.reader.resolve(Address("clerk", "example.org")))
    assert asked is None
    house.edit(add(Kind.TEMPLATE, "example.org", "alice"), add(Kind.USER, "example.org", "clerk"))
    target = asyncio.run(house.reader.resolve(Address("clerk", "example.org")))
    assert target is not None and target.account is not None
    house.close()


def test_an_edit_by_hand_is_read_or_refused_whole(house: House) -> None:
    house.path.write_text(WITH.replace("2G", "4G"))
    reread = asyncio.run(house.editor.reload())
    assert reread is not None and [each.entry.name for each in reread.records] == ["Clerk"]
    twice = WITH.replace("    <alias name=", '    <template name="CLERK"/>\n    <alias name=', 1)
    for wrong, words in (
        (twice, "'CLERK' is already a name of template 'Clerk' in line 18"),
        (WITH.replace("2G", "lots"), "quota"),
        (WITH.replace("<quota>2G", "<qouta>2G").replace("2G</quota>", "2G</qouta>").replace('"1.1">', '"1.0">'),
         "qouta"),
    ):  # fmt: skip
        house.path.write_text(wrong)
        with pytest.raises(ConfigError, match=words):
            asyncio.run(house.editor.reload())
    entry = asyncio.run(house.editor.entry(Kind.TEMPLATE, "example.org", "clerk"))
    assert entry is not None and entry.values["quota"] == "4G"
    house.close()


def test_it_is_in_the_difference_of_an_edit_and_in_what_is_kept_over_one(house: House) -> None:
    house.path.write_text(WITH.replace(TEMPLATE, ""))
    assert "-template Clerk@example.org" in house.editor.difference()
    asyncio.run(house.editor.keep())
    assert '<template name="Clerk">' in house.text and "<group>all</group>" in house.text
    house.close()


def test_it_goes_with_its_domain(house: House) -> None:
    house.edit(add(Kind.TEMPLATE, "empty.example", "x"))
    house.edit(remove(Kind.DOMAIN, "empty.example"))
    assert "empty.example" not in house.text
    house.close()


def test_a_journaled_template_reaches_the_file(tmp_path: Path) -> None:
    house = House(tmp_path, WITH, journal=True)
    house.edit(put(Kind.TEMPLATE, "example.org", "clerk", quota="8G"))
    house.abandon()
    again = DirectoryFile(house.path, house.index, records=RECORDS)
    again.open()
    entry = asyncio.run(again.entry(Kind.TEMPLATE, "example.org", "clerk"))
    assert entry is not None and entry.values["quota"] == "8G"
    again.close()
    assert "8G" in house.text
