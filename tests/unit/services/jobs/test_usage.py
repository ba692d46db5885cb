"""Watching what accounts hold: the sums of domains, and warnings of users."""

import asyncio
from collections.abc import Awaitable, Callable
from email import message_from_bytes, policy
from pathlib import Path

import pytest

from tests.unit.services.jobs.house import ALICE, BOB, House
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.errors import MailError
from whimbrel.core.quota import DOMAIN_USAGE
from whimbrel.flow.placement.quota import QuotaSettings
from whimbrel.flow.report.reports import ReportSettings
from whimbrel.services.jobs.usage import UsageWatch


def run(house: House, test: Callable[[UsageWatch], Awaitable[None]]) -> None:
    async def whole() -> None:
        await test(UsageWatch(house.ctx))

    try:
        asyncio.run(whole())
    finally:
        house.close()


def summed(house: House) -> tuple[int, ...]:
    words = house.state.values.get((DOMAIN_USAGE, "example.org"), "").split()
    return tuple(int(word) for word in words[:2])


def test_a_domains_sum_is_counted_once_and_then_follows_what_changes(tmp_path: Path) -> None:
    house = House(tmp_path, domain="<quota>1M</quota>")

    async def test(watch: UsageWatch) -> None:
        await house.put(ALICE, 1000, 2)
        await house.put(BOB, 500)
        watch.heard(f"{ALICE}\tm1")
        await watch.step()
        assert summed(house) == ()  # Half a sum would be a wrong one.
        await watch.round()
        assert summed(house) == (2500, 3)
        await house.put(BOB, 100, 5)
        await watch.step()
        assert summed(house) == (2500, 3)  # Nobody told.
        watch.heard(f"{BOB}\tm1")
        await watch.step()
        assert summed(house) == (3000, 8)
        await house.delete_all(ALICE)
        watch.heard(f"{ALICE}\t")
        await watch.step()
        assert summed(house) == (1000, 6)

    run(house, test)


def test_what_no_notice_told_is_found_by_the_next_round(tmp_path: Path) -> None:
    house = House(tmp_path, domain="<quota-messages>10</quota-messages>")

    async def test(watch: UsageWatch) -> None:
        await watch.round()
        assert summed(house) == (0, 0)
        await house.put(BOB, 100, 5)
        await watch.round()
        assert summed(house) == (500, 5)

    run(house, test)


def test_domains_without_a_quota_are_not_counted_and_one_that_gets_a_quota_is_soon(tmp_path: Path) -> None:
    house = House(tmp_path)

    async def test(watch: UsageWatch) -> None:
        asked: list[str] = []
        usage = house.store.usage

        async def counted(account: object) -> object:
            asked.append(str(account))
            return await usage(account)  # type: ignore[arg-type]

        house.store.usage = counted  # type: ignore[assignment]
        await house.put(BOB, 100)
        await watch.round()
        watch.heard(f"{BOB}\tm")
        await watch.step()
        assert asked == [] and summed(house) == ()
        change = DirectoryChange(Op.SET, Kind.DOMAIN, "example.org", values={"quota": "1M"})
        await house.editor.change([change])
        house.directory.refresh()
        before = watch._round_due
        await watch.step()
        assert watch._round_due < before
        await watch.round()
        assert summed(house) == (100, 1)
        await house.editor.change([DirectoryChange(Op.SET, Kind.DOMAIN, "example.org", values={"quota": None})])
        house.directory.refresh()
        await watch.step()
        assert summed(house) == ()

    run(house, test)


def test_lost_hints_bring_a_round_and_an_account_that_goes_leaves_the_sum(tmp_path: Path) -> None:
    house = House(tmp_path, domain="<quota>1M</quota>")

    async def test(watch: UsageWatch) -> None:
        await house.put(BOB, 100)
        await watch.round()
        assert watch._round_due > house.clock.monotonic()
        watch.heard("")
        assert watch._round_due <= house.clock.monotonic()
        await house.editor.change([DirectoryChange(Op.REMOVE, Kind.USER, "example.org", "bob")])
        house.directory.refresh()
        watch.heard(f"{BOB}\t")
        await watch.step()
        assert summed(house) == (0, 0)

    run(house, test)


def test_a_user_is_warned_once_and_again_only_after_there_was_room(tmp_path: Path) -> None:
    house = House(tmp_path, alice="<quota>10K</quota>")

    async def test(watch: UsageWatch) -> None:
        async def look() -> int:
            watch.heard(f"{ALICE}\tm")
            await watch.step()
            return len(house.intake.taken)

        await house.put(ALICE, 9000)
        assert await look() == 0
        await house.put(ALICE, 300)
        assert [await look() for _ in range(3)] == [1, 1, 1]
        await house.put(ALICE, 2000)
        assert await look() == 1  # Full: no second mail.
        assert [house.log.named(name)[0]["percent"] for name in ("quota.near", "quota.full")] == [90, 110]
        await house.delete_all(ALICE)
        assert await look() == 1 and house.log.named("quota.relieved")
        await house.put(ALICE, 10_000)
        assert await look() == 2

    run(house, test)


def test_the_warning_says_how_much_in_the_set_language_to_the_user_and_whom_it_is_set(tmp_path: Path) -> None:
    house = House(tmp_path, alice="<quota>1M</quota><quota-messages>3</quota-messages>")
    house.config.use(ReportSettings(language="de"))
    house.config.use(QuotaSettings(warn_at=50, warn_also="boss@example.org"))

    async def test(watch: UsageWatch) -> None:
        await house.put(ALICE, 1000, 2)
        await watch.round()
        ((to, content),) = house.intake.taken
        assert to == ["alice@example.org", "boss@example.org"]
        message = message_from_bytes(content, policy=policy.default)
        assert message["subject"] == "Ihr Postfach ist zu 66 % voll"
        assert message["to"] == "Alice Adams <alice@example.org>" and message["auto-submitted"] == "auto-generated"
        text = message.get_content()
        assert "enthält 2 von 3." in text and b"\n" not in content.replace(b"\r\n", b"")

    run(house, test)


@pytest.mark.parametrize(("code", "again"), [(451, True), (550, False)])
def test_a_warning_that_cannot_be_sent_now_is_sent_later(tmp_path: Path, code: int, again: bool) -> None:
    house = House(tmp_path, alice="<quota>1K</quota>")

    async def test(watch: UsageWatch) -> None:
        await house.put(ALICE, 1000)
        house.intake.error = MailError(code, f"{code // 100}.3.0", "No")
        await watch.round()
        assert house.log.named("quota.warning-failed")
        house.intake.error = None
        await watch.round()
        assert bool(house.intake.taken) is again

    run(house, test)


def test_nobody_is_warned_where_it_is_switched_off_but_a_full_mailbox_is_logged(tmp_path: Path) -> None:
    house = House(tmp_path, alice="<quota>1K</quota>")
    house.config.use(QuotaSettings(warn_at=0))

    async def test(watch: UsageWatch) -> None:
        await house.put(ALICE, 1020)
        await watch.round()
        assert house.log.records == []
        await house.put(ALICE, 100)
        await watch.round()
        assert house.intake.taken == [] and len(house.log.named("quota.full")) == 1

    run(house, test)
