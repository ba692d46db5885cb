"""A users.cfg that suddenly names nobody is not taken into use by itself."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.unit.backends.directory.files import FILE, House
from whimbrel.backends.directory import ledger
from whimbrel.backends.directory.forgetting import WORDS
from whimbrel.backends.directory.ledger import EMPTY
from whimbrel.core.address import Address
from whimbrel.core.config import ConfigConflict, Unconfirmed
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.errors import MailError

NO_USERS = re.sub(r"<user .*?</user>|<group .*?</group>", "", FILE, flags=re.DOTALL)
TEMPLATE = '<users version="1.0">\n  <domain name="example.com"><primary>yes</primary></domain>\n</users>\n'
EDITS = {"emptied": "", "no domain": EMPTY.decode(), "no user": NO_USERS, "a template": TEMPLATE}
LAST = (DirectoryChange(Op.REMOVE, Kind.USER, "example.org", "alice"),)
ONE = '<users version="1.0"><domain name="example.org"><primary>yes</primary><user name="alice"/></domain></users>'


def known(house: House, name: str = "alice") -> bool:
    """MailError"""
    house.reader.refresh()
    return asyncio.run(house.reader.resolve(Address.parse(f"{name}@example.org"))) is not None


def unavailable(house: House) -> bool:
    try:
        known(house)
    except MailError as error:
        return error.code == 451
    return False


def again(house: House) -> House:
    """After a restart, with whatever stands in the file."""
    house.editor.close()
    house.reader.close()
    return House(house.path.parent, "")


@pytest.fixture(params=list(EDITS))
def edit(request: pytest.FixtureRequest) -> str:
    return EDITS[request.param]


def users(count: int) -> str:
    names = "".join(f'<user name="u{number}"/>' for number in range(count))
    return f'<users version="1.0"><domain name="example.org"><primary>yes</primary>{names}</domain></users>'


@pytest.mark.parametrize(
    ("before", "after", "asks"),
    [(40, 20, True), (40, 1, True), (40, 21, False), (40, 39, False), (10, 1, False), (11, 1, True), (40, 60, False)],
)
def test_most_users_do_not_go_by_an_edit_that_nobody_confirmed(
    tmp_path: Path, before: int, after: int, asks: bool
) -> None:
    house = House(tmp_path)
    house.path.write_text(users(before))
    assert asyncio.run(house.editor.reload(confirmed=WORDS))
    house.path.write_text(users(after))
    if not asks:
        assert asyncio.run(house.editor.reload())
        return
    assert f"only {after} of the {before} users" in house.editor.forgets()
    with pytest.raises(Unconfirmed, match="config keep"):
        asyncio.run(house.editor.reload())
    assert known(house, f"u{before - 1}")
    house = again(house)
    assert unavailable(house)  # 451 and not 550: their mail waits with its senders.
    asyncio.run(house.editor.keep())
    assert known(house, f"u{before - 1}")


def test_a_server_that_runs_goes_on_with_what_it_knows(tmp_path: Path, edit: str) -> None:
    house = House(tmp_path)
    house.path.write_text(edit, encoding="utf-8")
    with pytest.raises(Unconfirmed, match="config keep") as caught:
        asyncio.run(house.editor.reload())
    assert caught.value.words == WORDS and known(house)
    assert "the server knows" in house.editor.forgets()
    assert house.log.named("config.users-withheld")
    with pytest.raises(Unconfirmed):
        asyncio.run(house.editor.reload(confirmed="other words"))
    assert asyncio.run(house.editor.reload(confirmed=WORDS))
    assert not known(house) and house.editor.forgets() == ""


def test_a_server_that_starts_cannot_tell_of_anybody_until_it_is_said(tmp_path: Path, edit: str) -> None:
    house = House(tmp_path)
    house.path.write_text(edit, encoding="utf-8")
    for _ in range(2):  # Nor at the start after that.
        house = again(house)
        assert unavailable(house)
    assert "451" in house.editor.forgets() and house.log.named("config.users-withheld")
    with pytest.raises(ConfigConflict):
        house.editor.edit(LAST)
    assert asyncio.run(house.editor.reload(confirmed=WORDS))
    assert not known(house)


def test_keep_writes_what_the_server_knew_before_it_started(tmp_path: Path, edit: str) -> None:
    house = House(tmp_path)
    house.path.write_text(edit, encoding="utf-8")
    house = again(house)
    asyncio.run(house.editor.keep())
    assert known(house) and '<user name="alice">' in house.text
    assert known(again(house))


def test_a_file_that_is_put_back_is_taken_at_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.path.write_bytes(EMPTY)
    house = again(house)
    assert unavailable(house)
    house.path.write_text(FILE, encoding="utf-8")
    assert house.editor.forgets() == "" and known(house)


def test_another_edit_with_users_is_taken_as_any_other(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.path.write_bytes(EMPTY)
    house = again(house)
    house.path.write_text(ONE)
    assert asyncio.run(house.editor.reload())
    assert known(house) and not known(house, "bob")


def test_a_file_that_is_gone_counts_as_emptied(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.path.unlink()
    with pytest.raises(Unconfirmed):
        asyncio.run(house.editor.reload())
    assert unavailable(again(house))


def test_an_index_lost_while_the_file_is_emptied_says_of_nobody_that_he_is_unknown(tmp_path: Path) -> None:
    house = House(tmp_path)
    house.path.write_bytes(EMPTY)
    house.index.unlink()
    with pytest.raises(Unconfirmed):
        asyncio.run(house.editor.heal())
    house.reader.close()
    assert unavailable(house)
    assert asyncio.run(house.editor.reload(confirmed=WORDS))
    assert not known(house)


def test_the_last_user_is_removed_by_a_call_without_ado(tmp_path: Path) -> None:
    house = House(tmp_path, ONE)
    house.editor.edit(LAST)
    assert not known(house)
    house = again(house)
    assert not known(house) and house.editor.forgets() == ""
    house.path.write_text(TEMPLATE)  # There is nobody left to forget.
    assert asyncio.run(house.editor.reload())


@pytest.mark.parametrize("journal", [False, True])
def test_a_crash_while_the_last_user_is_removed_leaves_no_doubt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, journal: bool
) -> None:
    house = House(tmp_path, ONE, journal=journal)

    class Crash(BaseException):
        pass

    def crash(*_: object) -> None:
        raise Crash

    if journal:
        house.editor.edit(LAST)
    with monkeypatch.context() as patched:
        patched.setattr(ledger, "_mark", crash)  # The file has its name, the index does not know.
        with pytest.raises(Crash):
            house.editor._ledger.fold() if journal else house.editor.edit(LAST)
    assert "alice" not in house.text
    after = House(tmp_path, "")
    assert not known(after) and after.editor.forgets() == ""
    assert not after.log.named("config.users-withheld")


def test_a_former_version_without_users_asks_for_the_words_too(tmp_path: Path) -> None:
    house = House(tmp_path, TEMPLATE)
    house.editor.edit([DirectoryChange(Op.ADD, Kind.USER, "example.com", "alice")])
    number = house.editor.former()[0].number
    with pytest.raises(Unconfirmed):
        asyncio.run(house.editor.restore(number))
    assert "alice" in house.text
    asyncio.run(house.editor.restore(number, confirmed=WORDS))
    assert "alice" not in house.text
