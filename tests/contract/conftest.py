"""Runs each `async def` test of the contract in a loop of its own with an open backend, and recounts at its end.

A test that asks for `backend` gets an open Backend; one that asks for `durable` gets one that can be reopened.
"""

import asyncio
import inspect
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest

from tests.contract.backends import BACKENDS, FORGETFUL, Backend
from tests.contract.calls import assert_counts_are_true

LIMIT = 120.0
"""Seconds for one test: a deadlock fails, it doesn't hang the suite."""

Open = Callable[[], AbstractAsyncContextManager[Backend]]


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return lambda: BACKENDS[request.param](tmp_path)


@pytest.fixture(params=sorted(set(BACKENDS) - FORGETFUL))
def durable(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    return lambda: BACKENDS[request.param](tmp_path)


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    test = pyfuncitem.obj
    if not inspect.iscoroutinefunction(test):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(test).parameters}
    asyncio.run(_run(test, arguments))
    return True


async def _run(test: Callable[..., Awaitable[None]], arguments: dict[str, object]) -> None:
    name = "durable" if "durable" in arguments else "backend"
    opener = arguments[name]
    assert callable(opener)
    async with opener() as opened:
        if name == "durable":
            assert opened.reopen is not None
        async with asyncio.timeout(LIMIT):
            await test(**(arguments | {name: opened}))
            if name == "backend":  # The others have closed this one.
                await assert_counts_are_true(opened)
