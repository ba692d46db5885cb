"""A domain written with its letters in users.cfg is the same as one written with its A-labels. RFC 5891"""

import asyncio
from pathlib import Path

import pytest

from tests.unit.backends.directory.files import House
from whimbrel.core.address import Address
from whimbrel.core.directory import Target

TEXT = """<?xml version="1.0" encoding="UTF-8"?>
<users version="1.0">
  <domain name="Straße.test">
    <primary>yes</primary>
    <domain-alias>βόλος.test</domain-alias>
    <user name="müller"><alias>chef</alias></user>
    <user name="anna"><forward-to>müller@STRAßE.test</forward-to></user>
    <alias name="info"><to>müller</to></alias>
    <group name="alle"><member>müller@straße.test</member><member>anna@βόλος.test</member></group>
  </domain>
</users>
"""


def resolved(house: House, address: str) -> Target | None:
    return asyncio.run(house.reader.resolve(Address.parse(address)))


@pytest.mark.parametrize(
    "address",
    [
        "müller@straße.test",
        "müller@xn--strae-oqa.test",
        "Müller@STRAßE.TEST",
        "chef@βόλος.test",
        "müller@xn--nxasmm1c.test",
    ],
)
def test_users_are_found_in_either_form_and_by_aliases_of_domains(tmp_path: Path, address: str) -> None:
    found = resolved(House(tmp_path, TEXT), address)
    assert found is not None and found.account is not None
    assert str(found.account.address) == "müller@xn--strae-oqa.test"


@pytest.mark.parametrize("address", ["müller@strasse.test", "müller@βόλοσ.test"])
def test_the_names_that_idna2003_made_of_them_are_not_ours(tmp_path: Path, address: str) -> None:
    assert resolved(House(tmp_path, TEXT), address) is None


def test_aliases_groups_and_forwardings_lead_to_either_form(tmp_path: Path) -> None:
    house = House(tmp_path, TEXT)
    group, alias = resolved(house, "alle@straße.test"), resolved(house, "info@xn--strae-oqa.test")
    assert group is not None and [one.domain for one in group.members] == ["xn--strae-oqa.test", "xn--nxasmm1c.test"]
    assert alias is not None and [str(one) for one in alias.members] == ["müller@xn--strae-oqa.test"]
    anna = resolved(house, "anna@straße.test")
    assert anna is not None and anna.account is not None
    assert [str(one) for one in anna.account.forward_to] == ["müller@xn--strae-oqa.test"]


def test_a_file_that_says_what_is_in_use_differs_in_nothing(tmp_path: Path) -> None:
    house = House(tmp_path, TEXT)
    resolved(house, "chef@straße.test")
    house.path.write_text(TEXT + "<!-- a remark -->\n", encoding="utf-8")
    assert house.editor.difference() == "users.cfg: only remarks or layout differ\n"
