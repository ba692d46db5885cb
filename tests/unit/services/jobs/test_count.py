"""What mailboxes hold is counted each night, mailbox by mailbox with a rest after each."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.jobs.house import House
from whimbrel.core.mailbox import AccountId
from whimbrel.services.admin.mail.usage import KIND, LATEST
from whimbrel.services.admin.ports import FolderSize
from whimbrel.services.jobs.count import COUNT, PAUSE
from whimbrel.services.jobs.settings import JobSettings


class Mailboxes:
    async def accounts(self) -> list[AccountId]:
        return [AccountId("a@example.org"), AccountId("b@example.org")]

    async def sizes(self, account: AccountId) -> AsyncIterator[FolderSize]:
        yield FolderSize(account, "INBOX", 2, 100, 1, 10)


@pytest.fixture
def house(tmp_path: Path) -> Any:
    house = House(tmp_path)
    yield house
    house.close()


def test_it_counts_and_rests_after_each_mailbox(house: House) -> None:
    ctx: Any = replace(house.ctx, store=Mailboxes())  # type: ignore[arg-type]

    async def work() -> str:
        outcome = await COUNT.begin(ctx)()
        assert json.loads(await house.state.get(KIND, LATEST) or "")["size"] == 200
        return outcome.text

    assert asyncio.run(work()) == "2 mailboxes were counted"
    assert house.pauses == [PAUSE, PAUSE]


def test_it_is_due_when_the_setting_says(house: House) -> None:
    house.config.use(JobSettings(count_at=""))
    assert COUNT.schedule.next_time(house.ctx, 1e9) is None
    house.config.use(JobSettings(count_at="05:00"))
    assert COUNT.schedule.words(house.ctx) == "at 05:00"
