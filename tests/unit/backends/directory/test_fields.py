"""Quota, clean-out and retention as they stand in the file, and changes that expect what stands there."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.backends.directory.files import House, put, same_as_rebuilt
from whimbrel.core.cleanout import CleanOut
from whimbrel.core.config import ConfigError
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.mailbox import AccountId

ALICE = AccountId("alice@example.org")


def test_a_domain_has_its_quota_retention_and_rules(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.edit(
        put(
            Kind.DOMAIN, "example.org", quota="10G", quota_messages="99", default_quota="1G", keep_deleted="30d",
            clean_out=("deleted 30d", "junk 14d"),
        )
    )  # fmt: skip
    domain = asyncio.run(house.reader.domain("example.net"))
    assert domain is not None
    assert (domain.quota_bytes, domain.quota_messages, domain.default_quota) == (10 << 30, 99, 1 << 30)
    assert domain.keep_deleted == 30 * 86_400
    assert domain.clean_out == (CleanOut("deleted 30d"), CleanOut("junk 14d"))
    other = asyncio.run(house.reader.domain("second.example"))
    assert other is not None and other.keep_deleted is None and other.clean_out == () and not other.quota_bytes
    same_as_rebuilt(house, tmp_path)
    house.close()


def test_an_account_has_the_rules_in_force_for_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.edit(put(Kind.DOMAIN, "example.org", clean_out=("deleted 30d", "junk 14d")))
    house.edit(put(Kind.USER, "example.org", "alice", clean_out=("junk 0d", "all 400d")))
    alice = asyncio.run(house.reader.account(ALICE))
    assert alice is not None
    assert set(alice.clean_out) == {CleanOut("deleted 30d"), CleanOut("junk 0d"), CleanOut("all 400d")}
    bob = asyncio.run(house.reader.sign_in("bob"))
    assert bob is not None and set(bob.clean_out) == {CleanOut("deleted 30d"), CleanOut("junk 14d")}
    (admin,) = asyncio.run(house.reader.administrators())
    assert admin == alice
    same_as_rebuilt(house, tmp_path)
    house.close()


@pytest.mark.parametrize(
    ("field", "value"), [("clean_out", ("bin 3d",)), ("keep_deleted", "soon"), ("quota", "-1"), ("quota_messages", "x")]
)
def test_values_that_mean_nothing_are_refused(tmp_path: Path, field: str, value: object) -> None:
    house = House(tmp_path)
    before = house.text
    with pytest.raises(ConfigError):
        house.edit(put(Kind.DOMAIN, "example.org", **{field: value}))
    assert house.text == before
    house.close()


def test_a_change_that_expects_another_value_is_refused(tmp_path: Path) -> None:
    house = House(tmp_path)

    def change(expected: str) -> DirectoryChange:
        return DirectoryChange(
            Op.SET, Kind.USER, "example.org", "alice", {"password": "$argon2id$new"}, {"password": expected}
        )

    with pytest.raises(ConfigError, match="was changed by somebody else meanwhile"):
        house.edit(change("$argon2id$other"))
    assert "$argon2id$alice" in house.text
    house.edit(change("$argon2id$alice"))
    assert "$argon2id$new" in house.text and "$argon2id$alice" not in house.text
    same_as_rebuilt(house, tmp_path)
    house.close()
