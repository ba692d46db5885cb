"""A queue that cannot be read or written for a while: nothing under way is broken off, nothing is sent twice, and the
worker goes on by itself."""

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.queue_house import NOW, entry
from tests.unit.flow.delivery.test_worker import MAIL, Post, Watched, item, running, settled
from whimbrel.core.errors import MailError
from whimbrel.core.values import Duration
from whimbrel.flow.delivery import worker
from whimbrel.flow.delivery.settings import DeliverySettings
from whimbrel.flow.report.reports import ReportSettings

FULL = MailError(452, "4.3.1", "Insufficient system storage")


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "STALLED", 0.0)


@pytest.mark.parametrize("error", [FULL, RuntimeError("a row that nobody can read")])
@pytest.mark.parametrize("call", ["lease", "next_due", "defer"])
def test_a_queue_that_fails_once_is_asked_again(call: str, error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(task: asyncio.Task[None]) -> None:
        await settled()
        post.queue.add(item("b@remote.test"), MAIL)
        await settled()
        assert failed and not task.done()
        assert len(post.remote.messages) == 1

    async def fails(*args: Any, **values: Any) -> object:
        if not failed:
            failed.append(call)
            raise error
        return await well(*args, **values)

    post, failed = Post(), list[str]()
    well = getattr(post.queue, call)
    monkeypatch.setattr(post.queue, call, fails)
    if call == "defer":
        post.worker._deferrals[("gone.test", 0.0)] = worker.Deferral("gone.test", 0, 0, 0, "", "", ())
    running(post, check)
    assert len(post.there.log.named("queue.stalled")) == 1


def test_leases_that_cannot_be_renewed_end_no_delivery(monkeypatch: pytest.MonkeyPatch) -> None:
    async def check(task: asyncio.Task[None]) -> None:
        await settled()
        assert post.there.log.named("queue.stalled")
        assert not task.done() and len(watched.running) == 1

    async def renew(_ids: Sequence[str], _until: float) -> None:
        raise FULL

    monkeypatch.setattr(worker, "RENEW", 0.0)
    post, watched = Post(), Watched()
    post.worker._smtp = watched
    post.queue.add(item("b@remote.test"), MAIL)
    monkeypatch.setattr(post.queue, "renew", renew)
    running(post, check)


def test_a_report_that_cannot_be_made_repeats_no_delivery() -> None:
    """What the other server took stays taken, whatever the report to the sender runs into."""

    async def crash(*_: object, **__: object) -> None:
        raise ValueError("a bug in making reports")

    post = Post()
    post.remote.answers = {"RCPT TO:<bad@remote.test>": "550 5.1.1 No"}
    post.there.reception.reports.of_queue = crash  # type: ignore[method-assign]
    stored = post.run(item("good@remote.test", "bad@remote.test"))
    assert [str(one.recipient.address) for one in stored.waiting] == ["bad@remote.test"]
    assert stored.next_attempt > entry("q1").next_attempt
    assert post.there.log.named("delivery.crashed")


def test_an_address_for_copies_that_is_none_keeps_nobody_from_the_end() -> None:
    post = Post(reports=ReportSettings(postmaster_copy="post@master..test"))
    post.remote.answers = {"RCPT": "550 5.1.1 No"}
    stored = post.run(item("b@remote.test", sender=""))
    assert not stored.waiting and not post.there.log.named("delivery.crashed")
    assert post.there.log.named("report.undeliverable")


def test_what_was_sent_is_stored_though_the_worker_is_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    async def scene() -> None:
        storing, go = asyncio.Event(), asyncio.Event()
        finish = post.queue.finish

        async def slow(ids: Sequence[str]) -> None:
            storing.set()
            await go.wait()
            await finish(ids)

        monkeypatch.setattr(post.queue, "finish", slow)
        task = asyncio.create_task(post.worker.run())
        await storing.wait()
        task.cancel()
        await settled()
        assert not task.done()
        go.set()
        await asyncio.gather(task, return_exceptions=True)
        assert not post.queue.items

    post = Post()
    post.queue.add(item("b@remote.test"), MAIL)
    asyncio.run(scene())


def test_a_schedule_without_a_wait_is_no_flood() -> None:
    post = Post(DeliverySettings(retry_schedule=(Duration(0),)))
    post.remote.answers = {"RCPT": "451 4.2.0 Later"}
    assert post.run(item("b@remote.test")).next_attempt > NOW


def test_while_the_name_system_is_down_the_queue_says_which_name_and_why() -> None:
    post = Post()
    post.names.exchangers["remote.test"] = MailError(451, "4.4.3", "Look-up failed", detail="remote.test: no answer")
    stored = post.run(item("b@remote.test"))
    assert [one.status for one in stored.waiting] == ["4.4.3 Look-up failed (remote.test: no answer)"]
