"""Local time is Vienna's where a test says so."""

import time
from collections.abc import Iterator

import pytest

from whimbrel.backends.logs import stamp


@pytest.fixture
def vienna(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    stamp._minute.cache_clear()
    yield
    monkeypatch.undo()
    time.tzset()
    stamp._minute.cache_clear()
