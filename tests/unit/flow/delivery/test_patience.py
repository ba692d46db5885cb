"""One timer for all waits of a session."""

import asyncio

import pytest

from whimbrel.flow.delivery.patience import Patience


def test_a_wait_that_is_too_long_ends_with_a_time_out_and_the_next_begins_anew() -> None:
    async def main() -> None:
        patience = Patience()
        for _ in range(2):
            with pytest.raises(TimeoutError), patience:
                patience.set(0.001)
                await asyncio.Event().wait()
        task = asyncio.current_task()
        assert task is not None and not task.cancelling()
        with patience:
            patience.set(60)
            await asyncio.sleep(0)

    asyncio.run(main())


def test_a_long_wait_before_does_not_lengthen_a_short_one() -> None:
    async def main() -> None:
        patience = Patience()
        with patience:
            patience.set(3600)
        async with asyncio.timeout(10):
            with pytest.raises(TimeoutError, match="timed out"), patience:
                patience.set(0.001)
                await asyncio.Event().wait()

    asyncio.run(main())


def test_each_answer_gives_the_full_time_again() -> None:
    async def main() -> None:
        patience, loop = Patience(), asyncio.get_running_loop()
        with patience:
            patience.set(0.0)
            patience.set(60)  # Before the loop had its turn.
            start = loop.time()
            await asyncio.sleep(0.01)
            assert loop.time() - start < 30

    asyncio.run(main())


def test_a_task_that_somebody_else_ends_is_cancelled_and_not_timed_out() -> None:
    async def main() -> None:
        patience = Patience()

        async def wait() -> None:
            with patience:
                patience.set(0.001)
                await asyncio.Event().wait()

        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        loop = asyncio.get_running_loop()
        loop.call_later(0.001, lambda: (patience._tick(loop), task.cancel()))  # Both in one moment.
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()

    asyncio.run(main())


def test_when_it_is_closed_no_timer_keeps_the_session_alive() -> None:
    async def main() -> None:
        patience = Patience()
        with patience:
            patience.set(3600)
        patience.close()
        assert patience._timer is None

    asyncio.run(main())
