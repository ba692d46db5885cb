"""The queue process: sends what waits, and reports what could not be sent."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncIterator
from functools import partial
from typing import Final

from whimbrel.app.house import House
from whimbrel.app.process import open_files
from whimbrel.backends.live import tasks
from whimbrel.backends.net.own import own_address
from whimbrel.core.config import ConfigStore
from whimbrel.flow.delivery.destination import Finder
from whimbrel.flow.delivery.local import LocalAgent
from whimbrel.flow.delivery.smtp import SmtpAgent
from whimbrel.flow.delivery.worker import QueueWorker
from whimbrel.services.session.services import ServicesSettings

GRACE: Final = 10.0
"""Seconds deliveries have to end when the server stops."""


@contextlib.asynccontextmanager
async def sending(house: House) -> AsyncIterator[None]:
    """The queue worker."""
    finder = Finder(house.resolver, house.config, Ours(house.config))
    smtp = SmtpAgent(
        queue=house.queue,
        finder=finder,
        connector=house.connector,
        config=house.config,
        log=house.log,
        clock=house.clock,
    )
    worker = QueueWorker(
        queue=house.queue,
        smtp=smtp,
        local=LocalAgent(
            queue=house.queue,
            directory=house.directory,
            delivery=house.reception.local,
            spool=house.spool,
            commit=house.commit,
            resume=house.reception.resume,
        ),
        reports=house.reception.reports,
        config=house.config,
        log=house.log,
        clock=house.clock,
        connections=max(open_files() // 2, 64),
    )
    recovered = await house.recover_queue()
    if recovered:
        house.log.warning("queue.recovered", entries=recovered)
    task = asyncio.get_running_loop().create_task(worker.run())
    task.add_done_callback(partial(_ended, house))
    try:
        house.answers.tell(tasks.SUBJECT, tasks.answering(worker.tasks))
        yield
    finally:
        worker.stop()
        await asyncio.wait([task], timeout=GRACE)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await smtp.close()


def _ended(house: House, task: "asyncio.Task[None]") -> None:
    """A worker that met a bug ends its process, and the zygote starts another: a queue that stands still without a
    word would be worse."""
    if not task.cancelled() and (error := task.exception()) is not None:
        house.log.exception("queue.stalled", error)
        signal.raise_signal(signal.SIGTERM)


class Ours:
    """Whether an address and port is where we listen ourselves: sending there would go round in a circle."""

    def __init__(self, config: ConfigStore) -> None:
        self._config = config

    def __call__(self, ip: str, port: int) -> bool:
        smtp = self._config.section(ServicesSettings).named("smtp")
        return smtp.enabled and any(
            address.port == port and (address.host == ip or (address.host == "*" and own_address(ip)))
            for address in smtp.listen
        )
