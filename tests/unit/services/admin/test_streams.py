"""A stream of items ends with the rights of who asked for it: it is asked again while it goes on."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.services.admin import web
from whimbrel.services.admin.invoke import prepare
from whimbrel.services.admin.server.operation import OperationItem
from whimbrel.services.admin.table import calls_of


@pytest.mark.parametrize(("reasons", "items"), [(["", "", ""], 3), (["", "the session was ended", ""], 1)])
def test_a_stream_ends_when_its_caller_may_not_have_it_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reasons: list[str], items: int
) -> None:
    monkeypatch.setattr(web, "STANDS_FOR", -1.0)
    said = iter(reasons)

    async def stands() -> str:
        return next(said)

    async def three() -> AsyncIterator[object]:
        for number in range(3):
            yield OperationItem(None, number, str(number))

    office = Office(tmp_path / "office")
    ctx = office.context(caller=replace(office.context().caller, stands=stands))
    watch = next(call for call in calls_of("operation") if call.name == "operation watch")
    made = prepare(watch, ctx, {"id": "x"})

    async def lines() -> list[dict[str, object]]:
        return [json.loads(line) async for line in web._lines(made, {"id": "x"}, three())]

    read = asyncio.run(lines())
    assert sum("item" in line for line in read) == items
    assert ("error" in read[-1]) is (items < 3) and ("end" in read[-1]) is (items == 3)
