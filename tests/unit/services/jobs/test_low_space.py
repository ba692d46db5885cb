"""Whoever is told of a full disk is told at once, not at the next round of health checks."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.unit.services.jobs.house import House, Room
from whimbrel.services.health.board import Board, Result
from whimbrel.services.jobs.low_space import watch_space

ENOUGH, LOW, FULL = Room(word="enough"), Room(word="low"), Room(word="full")


class Looks:
    def __init__(self) -> None:
        self.count = 0

    async def look(self) -> Sequence[Result]:
        self.count += 1
        return ()


@pytest.mark.parametrize(
    ("states", "looks"),
    [
        ([ENOUGH] * 5, 0),
        ([LOW] * 5, 0),
        ([ENOUGH, LOW, LOW], 1),
        ([ENOUGH, LOW, FULL, FULL, ENOUGH, ENOUGH], 3),
    ],
)
def test_the_checks_are_made_once_each_time_free_space_crosses_a_limit(
    tmp_path: Path, states: list[Room], looks: int
) -> None:
    house, board = House(tmp_path), Looks()

    async def main() -> list[str]:
        look = watch_space(replace(house.ctx, room=lambda: house.room, health=cast(Board, board)))
        texts = []
        for house.room in states:
            texts.append((await look()).text)
        return texts

    texts = asyncio.run(main())
    assert board.count == looks
    assert len(list(filter(None, texts))) == looks
