"""The threads in which a worker blocks: file reads, index queries, password hashing."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class ThreadPool:
    def __init__(self, threads: int, name: str = "pool") -> None:
        self._executor = ThreadPoolExecutor(threads, name)

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        loop = asyncio.get_running_loop()
        if kwargs:
            return await loop.run_in_executor(self._executor, lambda: work(*args, **kwargs))
        return await loop.run_in_executor(self._executor, work, *args)

    def close(self) -> None:
        self._executor.shutdown(cancel_futures=True)


if TYPE_CHECKING:
    from whimbrel.core.pool import Pool

    _port: Pool = ThreadPool(1)
