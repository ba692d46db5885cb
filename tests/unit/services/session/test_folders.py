"""The first folders of a mailbox: made once, by the set names, and never again."""

import asyncio

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryState
from whimbrel.backends.store.memory.store import MemoryStore
from whimbrel.core.mailbox import INBOX, AccountId, SpecialUse
from whimbrel.flow.placement.special_folders import NAMES, FolderSettings
from whimbrel.services.session.folders import Furnisher

ALICE = AccountId("alice@example.test")


class Stage:
    def __init__(self, settings: FolderSettings = FolderSettings()) -> None:
        self.clock, self.state, self.config = FakeClock(), MemoryState(), FakeConfig(settings)
        self.store = MemoryStore(self.clock)

    async def sign_in(self) -> dict[str, SpecialUse | None]:
        """In a process that has just begun."""
        await Furnisher(self.store, self.state, self.config, self.clock).furnish(ALICE)
        return {folder.name: folder.special_use for folder in await self.store.list(ALICE)}


def test_the_first_sign_in_makes_and_subscribes_them() -> None:
    async def test() -> None:
        stage = Stage()
        folders = await stage.sign_in()
        assert folders == {INBOX: None} | {name: use for use, name in NAMES["en"].items()}
        assert set(await stage.store.subscriptions(ALICE)) == set(folders)

    asyncio.run(test())


def test_what_the_user_deletes_or_renames_later_is_not_made_again() -> None:
    async def test() -> None:
        stage = Stage()
        await stage.sign_in()
        for name in NAMES["en"].values():
            await stage.store.delete(ALICE, name)
        assert set(await stage.sign_in()) == {INBOX}

    asyncio.run(test())


def test_a_mailbox_with_folders_is_left_as_it_is_even_if_nobody_remembers() -> None:
    async def test() -> None:
        stage = Stage()
        await stage.store.create(ALICE, "Work")
        assert set(await stage.sign_in()) == {INBOX, "Work"}

    asyncio.run(test())


def test_names_are_those_of_the_language_unless_set() -> None:
    async def test() -> None:
        stage = Stage(FolderSettings(language="de", sent="Postausgang/2026".replace("/", " ")))
        folders = await stage.sign_in()
        assert folders["Gelöschte Elemente"] is SpecialUse.TRASH and folders["Postausgang 2026"] is SpecialUse.SENT

    asyncio.run(test())


def test_every_language_names_every_folder_once() -> None:
    for names in NAMES.values():
        assert set(names) == set(SpecialUse) and len(set(names.values())) == len(SpecialUse)


def test_none_are_made_where_it_is_switched_off() -> None:
    async def test() -> None:
        stage = Stage(FolderSettings(make=False))
        assert set(await stage.sign_in()) == {INBOX}
        stage.config.use(FolderSettings())
        assert len(await stage.sign_in()) == 6

    asyncio.run(test())


def test_two_sessions_at_once_both_come_through() -> None:
    async def test() -> None:
        stage = Stage()
        one = Furnisher(stage.store, stage.state, stage.config, stage.clock)
        two = Furnisher(stage.store, stage.state, stage.config, stage.clock)
        await asyncio.gather(one.furnish(ALICE), two.furnish(ALICE))
        assert len(await stage.store.list(ALICE)) == 6

    asyncio.run(test())


@pytest.mark.parametrize("name", ["a/b", "a\nb", "*", "x" * 101])
def test_a_name_that_is_no_single_folder_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="String should match pattern"):
        FolderSettings.model_validate({"sent": name})


def test_junk_that_a_message_made_does_not_keep_the_others_away() -> None:
    stage = Stage()
    asyncio.run(stage.store.create(ALICE, "Junk E-mail", SpecialUse.JUNK))
    folders = asyncio.run(stage.sign_in())
    assert folders == {INBOX: None} | {name: use for use, name in NAMES["en"].items()}
