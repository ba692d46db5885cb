"""The port Tasks over processes: deliveries under way, told from one to another."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from whimbrel.backends.live.sockets import ask_all
from whimbrel.core.live import Answer
from whimbrel.core.tasks import DeliveryTask, Tasks

SUBJECT: Final = "tasks"
LONGEST: Final = 64
_FIELDS: Final = {field.name: field.type for field in fields(DeliveryTask)}


def answering(tasks: Tasks) -> Answer:
    """The answers of a process that delivers."""

    async def answer(asked: Mapping[str, Any]) -> object:
        if "abort" in asked:
            return await tasks.abort(str(asked["abort"]))
        return [asdict(task) for task in await tasks.list()]

    return answer


class AllTasks:
    """Of all processes that tell theirs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def list(self) -> Sequence[DeliveryTask]:
        answers = await ask_all(self._folder, SUBJECT)
        tasks = [task for answer in answers if isinstance(answer, list) for task in map(_task, answer) if task]
        return sorted(tasks, key=lambda task: (task.since, task.id))

    async def abort(self, task: str) -> bool:
        if not task.isalnum() or len(task) > LONGEST or not task.isascii():
            return False
        return any(answer is True for answer in await ask_all(self._folder, SUBJECT, abort=task))


def _task(values: object) -> DeliveryTask | None:
    """None if it is of another release."""
    if not isinstance(values, dict) or not _FIELDS.keys() <= values.keys():
        return None
    text = {name: str(values[name]) for name in _FIELDS if name not in ("recipients", "size", "sent", "since")}
    return DeliveryTask(
        **text,
        recipients=int(values["recipients"]),
        size=int(values["size"]),
        sent=int(values["sent"]),
        since=float(values["since"]),
    )


if TYPE_CHECKING:
    _port: Tasks = AllTasks(Path())
