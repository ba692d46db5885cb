"""Deliveries under way, told from one process to another."""

import asyncio
import json
from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict
from pathlib import Path

from whimbrel.backends.live import sockets, tasks
from whimbrel.backends.live.sockets import Answers
from whimbrel.backends.live.tasks import AllTasks
from whimbrel.core.tasks import DeliveryTask, Tasks


def task(name: str, since: float = 5.0) -> DeliveryTask:
    return DeliveryTask(
        name, "6ab3f000-1", "a@example.test", "grün.test", 2, "content", "mx[192.0.2.1]:25", 100, 50, "TLSv1.3 X", since
    )


class Some:
    def __init__(self, *names: str) -> None:
        self.names = list(names)

    async def list(self) -> Sequence[DeliveryTask]:
        return [task(name, since=float(len(name))) for name in self.names]

    async def abort(self, task: str) -> bool:
        if task not in self.names:
            return False
        self.names.remove(task)
        return True


def serving(some: Tasks, folder: Path, name: str) -> AbstractAsyncContextManager[None]:
    answers = Answers()
    answers.tell(tasks.SUBJECT, tasks.answering(some))
    return sockets.serving(answers, folder, name)


def run(test: Callable[[], Coroutine[object, object, None]]) -> None:
    async def inside() -> None:
        async with asyncio.timeout(30):
            await test()

    asyncio.run(inside())


def test_tasks_of_all_processes_are_listed_and_ended(tmp_path: Path) -> None:
    async def check() -> None:
        folder = tmp_path / ("x" * 90) / "tasks"  # Longer than a socket's name may be.
        one, two = Some("q11", "q2"), Some("m3")
        asked = AllTasks(folder)
        assert await asked.list() == []
        async with serving(one, folder, "queue"), serving(two, folder, "mail-1"):
            assert [found.id for found in await asked.list()] == ["m3", "q2", "q11"]
            assert (await asked.list())[0] == task("m3", since=2.0)
            assert await asked.abort("q2") and not await asked.abort("q2")
            assert one.names == ["q11"]
            for odd in ("", "q11\nabort m3", "q" * 1000, "ü"):
                assert not await asked.abort(odd)
        assert await asked.list() == [] and not list(folder.glob("*.sock"))

    run(check)


def test_the_socket_of_a_killed_process_is_passed_over_and_taken_over(tmp_path: Path) -> None:
    async def check() -> None:
        sockets._listen(tmp_path / "queue.sock").close()
        assert await AllTasks(tmp_path).list() == []
        async with serving(Some("q1"), tmp_path, "queue"):
            assert len(await AllTasks(tmp_path).list()) == 1

    run(check)


def test_who_asks_nonsense_or_nothing_gets_nothing_and_harms_nobody(tmp_path: Path) -> None:
    async def check() -> None:
        async with serving(Some("q1"), tmp_path, "queue"):
            nonsense = (b"what", b"[" * 60_000, b"\xff\xfe", b"", b"7", b'{"subject": []}', b'{"subject": "x"}')
            for request in (*(line + b"\n" for line in nonsense), b"x" * 100_000):
                reader, writer = await asyncio.open_unix_connection(str(tmp_path / "queue.sock"))
                writer.write(request)
                try:
                    assert await reader.read() == b""
                except ConnectionError:
                    pass
                writer.close()
            idle = await asyncio.open_unix_connection(str(tmp_path / "queue.sock"))
            assert len(await AllTasks(tmp_path).list()) == 1
            idle[1].close()

    run(check)


def test_an_answer_that_is_none_or_never_ends_is_not_believed(tmp_path: Path) -> None:
    async def check() -> None:
        answers = [b"", b"{", b"[1, {}, []]", b"7", json.dumps([asdict(task("q1")) | {"new": 1}]).encode()]

        async def odd(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readline()
            writer.write(answers[0])
            writer.close()

        async with await asyncio.start_unix_server(odd, str(tmp_path / "odd.sock")):
            found = []
            while answers:
                found.append([one.id for one in await AllTasks(tmp_path).list()])
                answers.pop(0)
            assert found == [[], [], [], [], ["q1"]]

    run(check)
