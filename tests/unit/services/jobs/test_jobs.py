"""Jobs on a schedule: when they run, and what each does."""

import asyncio
import time
from pathlib import Path

import pytest

from tests.unit.services.jobs.house import ALICE, BOB, House
from whimbrel.core.cleanout import DAY
from whimbrel.core.credentials.stored import StoredPassword, mark, own_id
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import INBOX, AccountId
from whimbrel.core.uids import ALL
from whimbrel.core.values import Secret
from whimbrel.services.jobs import JOBS
from whimbrel.services.jobs.clean_out import CLEAN_OUT
from whimbrel.services.jobs.job import LOOK, Job, JobContext, after, attempt, keep_running
from whimbrel.services.jobs.verifiers import VERIFIERS
from whimbrel.services.session.record import UPGRADE

OLD, NEW = "$argon2id$v=19$m=8,t=1,p=1$b2xk$b2xk", "$argon2id$v=19$m=19456,t=2,p=1$bmV3$bmV3"


class Enough(Exception):
    """Ends a loop that would go on for ever."""


def test_a_time_of_day_is_the_next_moment_the_clock_shows_it() -> None:
    noon = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
    for text, days in (("12:01", 0), ("11:59", 1), ("12:00", 1)):
        at = after(text, noon)
        assert at is not None and at > noon
        found = time.localtime(at)
        assert f"{found.tm_hour:02d}:{found.tm_min:02d}" == text and found.tm_mday == 24 + days
    assert after("", noon) is None


def test_a_job_runs_when_due_and_a_failing_one_goes_on(tmp_path: Path) -> None:
    house = House(tmp_path)
    start = house.clock.now()
    ran: list[float] = []

    async def work(ctx: JobContext) -> None:
        ran.append(ctx.clock.now() - start)
        if len(ran) == 1:
            raise MailError(451, "4.3.0", "Busy")
        if len(ran) == 2:
            raise ZeroDivisionError
        if len(ran) == 3:
            raise KeyboardInterrupt

    job = Job("some", work, lambda _config, last: last + 3 * LOOK)
    with pytest.raises(KeyboardInterrupt):
        asyncio.run(keep_running(job, house.ctx))
    assert ran == [3 * LOOK, 6 * LOOK, 9 * LOOK]
    assert max(house.pauses) <= LOOK  # So that a changed schedule is noticed.
    assert [len(house.log.named(name)) for name in ("job.failed", "job.crashed")] == [1, 1]
    house.close()


def test_every_job_has_a_name_of_its_own(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert len({job.name for job in JOBS}) == len(JOBS)
    for job in JOBS:
        due = job.next_time(house.config, house.clock.now())
        assert due is not None and due > house.clock.now()
    house.close()


def test_clean_out_follows_the_rules_of_users_and_domains_and_logs_each_account(tmp_path: Path) -> None:
    house = House(tmp_path, domain="<clean-out>all 10d</clean-out>", alice="<clean-out>inbox 30d</clean-out>")

    async def test() -> None:
        await house.put(ALICE, 100, 2)
        await house.put(BOB, 100, 3)
        house.clock.forward(11 * DAY)
        await attempt(CLEAN_OUT, house.ctx)
        left = []
        for account in (ALICE, BOB):
            found = await house.store.find(account, INBOX)
            assert found is not None
            left.append(len(await house.store.flags(found.ref, ALL)))
        assert left == [2, 0]

    asyncio.run(test())
    assert house.log.named("cleanout.done") == [{"account": BOB, "folder": INBOX, "messages": 3}]
    assert house.log.named("cleanout.ended") == [{"accounts": 1, "messages": 3}]
    house.close()


def test_an_account_that_is_busy_does_not_stop_the_others(tmp_path: Path) -> None:
    house = House(tmp_path, domain="<clean-out>all 10d</clean-out>")
    dates = house.store.save_dates

    async def busy(ref: object, uids: object) -> object:
        if getattr(ref, "account", "") == ALICE:
            raise MailboxError(Condition.UNAVAILABLE, "Being rebuilt")
        return await dates(ref, uids)  # type: ignore[arg-type]

    house.store.save_dates = busy  # type: ignore[assignment]

    async def test() -> None:
        await house.put(ALICE, 100)
        await house.put(BOB, 100)
        house.clock.forward(11 * DAY)
        await attempt(CLEAN_OUT, house.ctx)

    asyncio.run(test())
    assert [one["account"] for one in house.log.named("cleanout.failed")] == [ALICE]
    assert [one["account"] for one in house.log.named("cleanout.done")] == [BOB]
    house.close()


# Verifiers


def waiting(house: House, account: AccountId, old: str = OLD, new: str = NEW) -> None:
    stored = StoredPassword(Secret(new), own_id(Secret(old)), {"SCRAM-SHA-256": Secret("SCRAM-SHA-256$k")})
    house.state.values[UPGRADE, account] = f"{mark(Secret(old))} {new} {stored.beside().reveal()}"


def test_a_new_verifier_is_written_to_the_file_and_forgotten(tmp_path: Path) -> None:
    house = House(tmp_path, alice=f"<password>{OLD}</password><!-- kept -->")
    waiting(house, ALICE)
    asyncio.run(attempt(VERIFIERS, house.ctx))
    text = house.path.read_text()
    assert NEW in text and OLD not in text and "<!-- kept -->" in text
    assert '<users version="1.1">' in text  # The former release keeps what it doesn't know.
    house.directory.refresh()
    written = asyncio.run(house.directory.account(ALICE))
    assert written is not None
    stored = StoredPassword.read(written.password, written.password_keys)
    assert stored.id == own_id(Secret(OLD)), "it is the same credential still"
    assert stored.keys == {"SCRAM-SHA-256": "SCRAM-SHA-256$k"}
    assert house.state.values == {} and house.log.named("signin.upgraded") == [{"users": 1}]
    house.close()


def test_a_password_that_was_changed_meanwhile_stays(tmp_path: Path) -> None:
    other = OLD.replace("b2xk", "b3Ro")
    house = House(tmp_path, alice=f"<password>{other}</password>")
    waiting(house, ALICE)
    waiting(house, AccountId("gone@example.org"))
    asyncio.run(attempt(VERIFIERS, house.ctx))
    text = house.path.read_text()
    assert other in text and NEW not in text
    assert house.state.values == {}
    house.close()


def test_the_comparison_is_made_where_the_file_is_written(tmp_path: Path) -> None:
    """The directory that is asked may lag behind a change of a moment ago."""
    house = House(tmp_path, alice=f"<password>{OLD}</password>")
    other = OLD.replace("b2xk", "b3Ro")
    waiting(house, ALICE)

    async def test() -> None:
        assert await house.directory.account(ALICE) is not None  # It is remembered now.
        await house.editor.change(
            [DirectoryChange(Op.SET, Kind.USER, "example.org", "alice", {"password": Secret(other)})]
        )
        await attempt(VERIFIERS, house.ctx)

    asyncio.run(test())
    assert other in house.path.read_text() and house.state.values == {}
    house.close()


def test_an_edit_from_outside_makes_them_wait(tmp_path: Path) -> None:
    house = House(tmp_path, alice=f"<password>{OLD}</password>")
    waiting(house, ALICE)
    house.path.write_text(house.path.read_text().replace("Alice Adams", "Alice B."), encoding="utf-8")
    asyncio.run(attempt(VERIFIERS, house.ctx))
    assert (UPGRADE, ALICE) in house.state.values and NEW not in house.path.read_text()
    house.close()
