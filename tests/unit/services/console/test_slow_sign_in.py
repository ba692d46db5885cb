"""A sign-in whose body comes by drips: it holds a turn of its address, so it is not waited for."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from whimbrel.services.admin.calls import CallError
from whimbrel.services.console import body


class Dripping:
    """A request as far as its body matters."""

    def __init__(self) -> None:
        self.headers = {"content-type": "application/json"}

    async def stream(self) -> AsyncIterator[bytes]:
        yield b"{"
        while True:
            await asyncio.sleep(0)
            yield b" "


def test_a_body_that_drips_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(body, "BODY_WITHIN", 0.0)
    monkeypatch.setattr(body, "MAX_BODY", 1 << 40)
    with pytest.raises(CallError, match="did not come whole within"):
        asyncio.run(body.body_of(cast(Any, Dripping())))
