"""The port Connections over processes: each chooses, sorts and cuts by itself, so that what crosses is bounded."""

import asyncio
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from whimbrel.backends.live.sockets import ask_all
from whimbrel.core.connections import MOST, ORDERS, ConnectionList, Connections, LiveConnection, Which, ordered
from whimbrel.core.live import Answer

SUBJECT: Final = "connections"
TURN: Final = 200
"""Connections between two turns of the loop."""
_NAMES: Final = tuple(field.name for field in fields(LiveConnection))
_VALUES: Final = attrgetter(*_NAMES)


def answering(connections: Connections) -> Answer:
    """The answers of a process that has some."""

    async def answer(asked: Mapping[str, Any]) -> object:
        which = _which(asked["which"])
        if "by" in asked:
            return await _rows(await connections.disconnect(which, str(asked["by"])))
        order, limit = str(asked["order"]), min(int(asked["limit"]), MOST)
        if order not in ORDERS:
            raise ValueError(order)
        page = await connections.list(which, order, limit)
        return b'{"items":%s,"counts":%s}' % (await _rows(page.items), json.dumps(page.counts).encode())

    return answer


async def _rows(connections: Sequence[LiveConnection]) -> bytes:
    """As JSON, made between turns of the loop: thousands at once would hold up the sessions that they are."""
    pieces = []
    for start in range(0, len(connections), TURN):
        pieces.append(json.dumps([_VALUES(each) for each in connections[start : start + TURN]])[1:-1])
        await asyncio.sleep(0)
    return f"[{','.join(pieces)}]".encode()


def _which(asked: Mapping[str, Any]) -> Which:
    domains = asked["domains"]
    return Which(
        ids=tuple(map(str, asked["ids"])),
        service=str(asked["service"]),
        user=str(asked["user"]),
        address=str(asked["address"]),
        search=str(asked.get("search", "")),
        domains=None if domains is None else tuple(map(str, domains)),
    )


class AllConnections:
    """Of all processes that tell theirs in `folder`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def list(self, which: Which, order: str = "since", limit: int = MOST) -> ConnectionList:
        answers = await ask_all(self._folder, SUBJECT, which=asdict(which), order=order, limit=limit)
        rows, counts = list[LiveConnection](), Counter[str]()
        for answer in answers:
            if isinstance(answer, dict):
                rows += _connections(answer.get("items"))
                counts.update({str(name): int(number) for name, number in answer.get("counts", {}).items()})
        return ConnectionList(ordered(rows, order, limit), dict(counts))

    async def disconnect(self, which: Which, by: str) -> Sequence[LiveConnection]:
        answers = await ask_all(self._folder, SUBJECT, which=asdict(which), by=by)
        return ordered([row for answer in answers for row in _connections(answer)], "since", MOST)


def _connections(answer: object) -> list[LiveConnection]:
    """None of them of another release."""
    rows = answer if isinstance(answer, list) else []
    return [LiveConnection(*row) for row in rows if isinstance(row, list) and len(row) == len(_NAMES)]


if TYPE_CHECKING:
    _port: Connections = AllConnections(Path())
