"""Jobs on a schedule: when they run, and what each does."""

import asyncio
import time
from pathlib import Path

from tests.unit.services.jobs.house import ALICE, BOB, House
from whimbrel.core.cleanout import DAY
from whimbrel.core.credentials.stored import StoredPassword, mark, own_id
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import INBOX, AccountId
from whimbrel.core.uids import ALL
from whimbrel.core.values import Secret
from whimbrel.services.jobs import JOBS
from whimbrel.services.jobs.chores import EDITS, LOG_FILES, PAUSE, PURGE, RELIEVE, SELF_CHECK
from whimbrel.services.jobs.clean_out import CLEAN_OUT
from whimbrel.services.jobs.job import NOTHING, Job, Outcome, after
from whimbrel.services.jobs.verifiers import VERIFIERS
from whimbrel.services.session.record import UPGRADE

OLD, NEW = "$argon2id$v=19$m=8,t=1,p=1$b2xk$b2xk", "$argon2id$v=19$m=19456,t=2,p=1$bmV3$bmV3"


def test_a_time_of_day_is_the_next_moment_the_clock_shows_it() -> None:
    noon = time.mktime((2026, 11, 24, 12, 0, 0, 0, 0, -1))
    for text, days in (("12:01", 0), ("11:59", 1), ("12:00", 1)):
        at = after(text, noon)
        assert at is not None and at > noon
        shown = time.localtime(at)
        assert f"{shown.tm_hour:02d}:{shown.tm_min:02d}" == text and shown.tm_mday == 24 + days
    assert after("", noon) is None


def run(job: Job, house: House) -> Outcome:
    return asyncio.run(once(job, house))


async def once(job: Job, house: House) -> Outcome:
    return await job.begin(house.ctx)()


def test_every_job_has_a_name_help_and_a_schedule(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert len({job.name for job in JOBS}) == len(JOBS)
    for job in JOBS:
        due = job.schedule.next_time(house.ctx, house.clock.now())
        assert due is not None and due > house.clock.now()
        assert job.help.endswith(".") and job.schedule.words(house.ctx).split()[0] in ("every", "at")
    house.close()


def test_what_the_store_and_the_logs_need_is_done_and_said(tmp_path: Path) -> None:
    house = House(tmp_path)
    assert run(SELF_CHECK, house).text == "7 folders were checked"
    assert run(PURGE, house).text == "nothing was due" and not house.log.named("store.purged")
    house.keeping.due = 3
    assert "3 messages (300 octets)" in run(PURGE, house).text
    assert run(RELIEVE, house) == NOTHING
    house.keeping.shorts = [True]
    assert "made room" in run(RELIEVE, house).text and house.log.named("store.made-room")
    house.keeping.indexes = 2
    assert run(LOG_FILES, house).again == PAUSE  # More is to be indexed: a little later.
    assert run(LOG_FILES, house).again == 10.0 and house.keeping.rotated == 2
    house.close()


def test_an_edit_made_outside_is_told_once_and_at_once(tmp_path: Path) -> None:
    house = House(tmp_path)
    look = EDITS.begin(house.ctx)

    async def test() -> None:
        assert await look() == NOTHING
        house.keeping.state, house.keeping.different = "1", ["mailserver.cfg"]
        assert "mailserver.cfg was changed outside" in (await look()).text
        assert await look() == NOTHING
        house.keeping.state, house.keeping.different = "2", []  # Written again, as it was.
        assert (await look()).text == "the files are those in use"
        house.keeping.state, house.keeping.different = "3", ["users.cfg"]
        await look()

    asyncio.run(test())
    assert [record["file"] for record in house.log.named("config.edited")] == ["mailserver.cfg", "users.cfg"]
    house.close()


def test_clean_out_follows_the_rules_of_users_and_domains_and_logs_each_account(tmp_path: Path) -> None:
    house = House(tmp_path, domain="<clean-out>all 10d</clean-out>", alice="<clean-out>inbox 30d</clean-out>")

    async def test() -> None:
        await house.put(ALICE, 100, 2)
        await house.put(BOB, 100, 3)
        house.clock.forward(11 * DAY)
        await once(CLEAN_OUT, house)
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
        await once(CLEAN_OUT, house)

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
    run(VERIFIERS, house)
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
    run(VERIFIERS, house)
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
        await once(VERIFIERS, house)

    asyncio.run(test())
    assert other in house.path.read_text() and house.state.values == {}
    house.close()


def test_an_edit_from_outside_makes_them_wait(tmp_path: Path) -> None:
    house = House(tmp_path, alice=f"<password>{OLD}</password>")
    waiting(house, ALICE)
    house.path.write_text(house.path.read_text().replace("Alice Adams", "Alice B."), encoding="utf-8")
    run(VERIFIERS, house)
    assert (UPGRADE, ALICE) in house.state.values and NEW not in house.path.read_text()
    house.close()
