"""Long work goes on when who asked has gone, and can be watched, listed and ended by anybody who may."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.services.admin.office import CALLS, MemoryKeeper, Office
from whimbrel.core.mailbox import AccountId
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.invoke import invoke, prepare, stream, work_of
from whimbrel.services.admin.ports import Checked
from whimbrel.services.admin.server import operations as module
from whimbrel.services.admin.server.operations import KIND, Operations


class SlowKeeper(MemoryKeeper):
    """Goes on from folder to folder when it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Semaphore(0)
        self.done: list[str] = []

    async def check(self, account: AccountId, folder: str = "") -> AsyncIterator[Checked]:
        for number in range(3):
            await self.go.acquire()
            self.done.append(f"F{number}")
            yield Checked(account, f"F{number}", number)


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def _context(office: Office, keeper: MemoryKeeper) -> tuple[AdminContext, Operations]:
    numbers = iter(range(100))
    operations = Operations(office.state, office.clock, office.log, lambda: f"o{next(numbers)}")
    return office.context(store=keeper, operations=operations), operations


async def _let(turns: int = 20) -> None:
    for _ in range(turns):
        await asyncio.sleep(0)


def test_an_operation_goes_on_without_its_watcher_and_tells_all_to_the_next(office: Office) -> None:
    async def work() -> None:
        keeper = SlowKeeper()
        ctx, operations = _context(office, keeper)
        running = operations.start(work_of(prepare(CALLS["store check"], ctx, {"account": "alice"})))
        first = running.items()
        keeper.go.release()
        assert (await anext(first)).folder == "F0"  # type: ignore[attr-defined]
        await first.aclose()  # type: ignore[attr-defined]
        keeper.go.release()
        keeper.go.release()
        seen = [item.folder async for item in running.items()]  # type: ignore[attr-defined]
        assert seen == keeper.done == ["F0", "F1", "F2"]
        (row,) = (await invoke(CALLS["operation list"], ctx, {})).items  # type: ignore[attr-defined]
        assert (row.id, row.work, row.state, row.percent) == ("o0", "store check alice", "done", 100)
        watched = [item async for item in stream(CALLS["operation watch"], ctx, {"id": "o0"})]
        assert [item.item["folder"] for item in watched] == seen  # type: ignore[attr-defined]
        assert office.log.named("operation.ended")[0]["result"] == "done"

    asyncio.run(work())


def test_an_operation_is_cancelled_where_it_is(office: Office) -> None:
    async def work() -> None:
        keeper = SlowKeeper()
        ctx, operations = _context(office, keeper)
        running = operations.start(work_of(prepare(CALLS["store check"], ctx, {"account": "alice"})))
        keeper.go.release()
        await _let()
        await invoke(CALLS["operation cancel"], replace(ctx, dry_run=True), {"id": "o0"})
        assert running.state == "running"
        await invoke(CALLS["operation cancel"], ctx, {"id": "o0"})
        assert (running.state, keeper.done) == ("cancelled", ["F0"])
        with pytest.raises(CallError, match="cancelled"):
            [item async for item in running.items()]
        for id, kind in (("o0", Failure.REFUSED), ("o9", Failure.NOT_FOUND)):
            with pytest.raises(CallError) as caught:
                await invoke(CALLS["operation cancel"], ctx, {"id": id})
            assert caught.value.kind is kind

    asyncio.run(work())


def test_what_the_end_of_the_server_cut_off_is_known_as_interrupted(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, SlowKeeper())
        operations.start(work_of(prepare(CALLS["store check"], ctx, {"account": "alice"})))
        await _let()
        assert json.loads(dict(await office.state.list(KIND))["o0"])["state"] == "running"
        after, later = _context(office, SlowKeeper())  # As after a power cut: nobody could write its end.
        await later.restore()
        (row,) = (await invoke(CALLS["operation list"], after, {})).items  # type: ignore[attr-defined]
        assert (row.id, row.state, row.work) == ("o0", "interrupted", "store check alice")
        await operations.close()
        assert json.loads(dict(await office.state.list(KIND))["o0"])["state"] == "interrupted"

    asyncio.run(work())


def test_a_failure_is_told_to_who_watches_and_in_the_list(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, office.keeper)
        running = operations.start(work_of(prepare(CALLS["store check"], ctx, {"account": "bob@other.test"})))
        with pytest.raises(CallError) as caught:
            [item async for item in running.items()]
        assert caught.value.kind is Failure.NOT_FOUND
        assert (running.state, bool(running.error)) == ("failed", True)

    asyncio.run(work())


def test_there_is_a_bound_of_operations_and_of_what_they_remember(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def work() -> None:
        monkeypatch.setattr(module, "MOST", 2)
        monkeypatch.setattr(module, "ENDED", 1)
        keeper = SlowKeeper()
        ctx, operations = _context(office, keeper)

        def start() -> module.Operation:
            return operations.start(work_of(prepare(CALLS["store check"], ctx, {"account": "alice"})))

        running = [start(), start()]
        with pytest.raises(CallError, match="under way"):
            start()
        for _ in range(6):
            keeper.go.release()
        for operation in running:
            [item async for item in operation.items()]
        await _let()
        assert len(operations.list()) == 1

    asyncio.run(work())


def test_an_import_is_an_operation_whose_result_is_its_answer(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, office.keeper)
        table = "address,password\nx@example.org,secret-of-x\n"
        running = operations.start(work_of(prepare(CALLS["user import"], ctx, {"file": table})))
        result = await running.result()
        assert result.added == 1  # type: ignore[attr-defined]
        assert (running.state, running.percent, running.subject) == ("done", 100, "user import")
        assert "secret" not in running.record  # What a file holds may be anybody's password.

    asyncio.run(work())


def test_a_dry_run_stands_in_the_list_as_a_trial(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, office.keeper)
        table = {"file": "address\nerika@example.org\n"}
        trial = operations.start(work_of(prepare(CALLS["user import"], replace(ctx, dry_run=True), table)))
        await trial.result()
        await _let()
        (row,) = (await invoke(CALLS["operation list"], ctx, {})).items  # type: ignore[attr-defined]
        assert (row.work, row.state, row.percent) == ("user import --dry-run", "tried", 100)
        again = Operations(office.state, office.clock, office.log, lambda: "new")
        await again.restore()  # Also after a restart.
        assert [(o.subject, o.state) for o in again.list()] == [("user import --dry-run", "tried")]
        assert office.log.named("operation.ended")[0]["result"] == "tried"

    asyncio.run(work())
    assert "erika" not in office.users


def test_what_waits_can_be_undone_and_then_has_done_nothing(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, MemoryKeeper())
        ctx = replace(ctx, dry_run=False)
        made = work_of(prepare(CALLS["user disable"], ctx, {"name": "alice"}))
        waiting = operations.start(replace(made, wait=30.0))
        await _let()
        assert (waiting.state, waiting.begins) == ("waiting", office.clock.now() + 30.0)
        assert json.loads((await office.state.get(KIND, waiting.id)) or "")["state"] == "waiting"
        await operations.cancel(waiting.id)
        assert waiting.state == "undone"
        with pytest.raises(CallError, match="undone"):
            await waiting.result()

    asyncio.run(work())
    assert "<enabled>no</enabled>" not in office.users


def test_what_waited_long_enough_is_done_with_nobody_looking(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, MemoryKeeper())
        waiting = operations.start(replace(work_of(prepare(CALLS["user disable"], ctx, {"name": "alice"})), wait=0.01))
        await waiting.result()
        assert waiting.state == "done"

    asyncio.run(work())
    assert "<enabled>no</enabled>" in office.users


def test_what_waits_when_the_server_ends_is_not_done(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, MemoryKeeper())
        made = work_of(prepare(CALLS["user disable"], ctx, {"name": "alice"}))
        waiting = operations.start(replace(made, wait=30.0))
        await _let()
        await operations.close()
        assert waiting.state == "interrupted"

    asyncio.run(work())
    assert "<enabled>no</enabled>" not in office.users


def test_what_was_only_mistyped_is_no_operation(office: Office) -> None:
    async def work() -> None:
        ctx, operations = _context(office, MemoryKeeper())
        for arguments in ({}, {"account": "alice", "all": True}, {"account": "nobody"}):
            running = operations.start(work_of(prepare(CALLS["store check"], ctx, arguments)))
            with pytest.raises(CallError) as caught:
                await running.result()
            assert caught.value.kind in (Failure.USAGE, Failure.NOT_FOUND)
            await _let()
        assert operations.list() == [] and await office.state.list(KIND) == []

    asyncio.run(work())


@pytest.mark.parametrize("within", [False, True], ids=["between two items", "within one"])
def test_work_that_nobody_waits_for_ends_when_its_caller_may_no_more(
    office: Office, monkeypatch: pytest.MonkeyPatch, within: bool
) -> None:
    monkeypatch.setattr(module, "STANDS_FOR", 0.01 if within else 60.0)

    async def work() -> None:
        keeper, lost = SlowKeeper(), [""]

        async def stands() -> str:
            return lost[0]

        ctx, operations = _context(office, keeper)
        ctx = replace(ctx, caller=replace(ctx.caller, stands=stands))
        running = operations.start(work_of(prepare(CALLS["store check"], ctx, {"account": "alice"})))
        keeper.go.release()
        await _let()
        assert keeper.done == ["F0"]
        lost[0] = "the rights were changed"
        if not within:
            keeper.go.release()
        async with asyncio.timeout(10):
            while running.alive:
                await asyncio.sleep(0.001)
        assert keeper.done == (["F0"] if within else ["F0", "F1"])
        assert (running.state, "the rights were changed" in running.error) == ("failed", True)
        keeper.go.release()
        await _let()
        assert len(keeper.done) <= 2  # Nothing of it goes on.

    asyncio.run(work())


def test_a_change_that_ends_the_callers_own_session_is_done_nevertheless(office: Office) -> None:
    async def work() -> None:
        ended = [""]

        async def stands() -> str:
            return ended[0]

        ctx, operations = _context(office, MemoryKeeper())
        ctx = replace(ctx, caller=replace(ctx.caller, stands=stands))
        made = work_of(prepare(CALLS["user set"], ctx, {"name": "alice", "description": "x"}))

        async def items() -> AsyncIterator[object]:
            async for item in made.items:
                ended[0] = "the password was changed"
                yield item

        running = operations.start(replace(made, items=items()))
        while running.alive:
            await asyncio.sleep(0)
        assert (running.state, running.error) == ("done", "")

    asyncio.run(work())
