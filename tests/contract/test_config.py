"""What every ConfigStore does, whatever it keeps its settings in."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigError, ConfigStore
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration, Size

Open = Callable[[], ConfigStore]


class Limits(Section, tag="limits"):
    """Limits."""

    size: Size = setting(Size("50M"), minimum=Size("1M"), help="Largest.")
    wait: Duration = setting(Duration("4h"), help="Longest.")
    names: tuple[str, ...] = setting((), item="name", help="Names.")


class Whole(Section, tag="whole"):
    """All."""

    limits: Limits = setting(Limits(), help="Limits.")


@pytest.fixture(params=["file"])
def open_store(request: pytest.FixtureRequest, tmp_path: Path) -> Open:
    """Opens a store on the same settings, as another process would."""

    def file() -> ConfigStore:
        config = FileConfig(tmp_path / "whole.cfg", Whole, pool=InlinePool())
        config.load()
        return config

    return {"file": file}[request.param]


def test_unset_settings_have_their_defaults(open_store: Open) -> None:
    assert open_store().section(Limits) == Limits()


def test_a_change_is_in_force_at_once_and_for_those_who_come_later(open_store: Open) -> None:
    config = open_store()
    assert asyncio.run(config.change({"limits/size": "80M"})) == {"limits/size"}
    assert config.section(Limits).size == 80 << 20
    assert open_store().section(Limits).size == 80 << 20


def test_a_snapshot_that_someone_holds_never_changes(open_store: Open) -> None:
    config = open_store()
    held = config.section(Limits)
    asyncio.run(config.change({"limits/size": "80M"}))
    assert held.size == 50 << 20
    with pytest.raises(Exception, match="frozen"):
        held.size = Size(1)  # type: ignore[misc]


def test_subscribers_hear_what_changed_when_it_is_in_use(open_store: Open) -> None:
    config = open_store()
    heard: list[tuple[frozenset[str], int]] = []
    config.subscribe(lambda paths: heard.append((paths, config.section(Limits).size)))
    asyncio.run(config.change({"limits/size": "80M", "limits/name": ("a", "b"), "limits/wait": "4h"}))
    assert heard == [(frozenset({"limits/size", "limits/name"}), 80 << 20)]
    asyncio.run(config.change({"limits/size": "80M"}))
    assert len(heard) == 1


def test_a_change_is_refused_as_a_whole(open_store: Open) -> None:
    config = open_store()
    heard: list[frozenset[str]] = []
    config.subscribe(heard.append)
    with pytest.raises(ConfigError) as caught:
        asyncio.run(config.change({"limits/size": "1K", "limits/wait": "5h", "limits/nmae": "x"}))
    assert {fault.path for fault in caught.value.faults} == {"limits/size", "limits/nmae"}
    assert config.section(Limits) == open_store().section(Limits) == Limits()
    assert heard == []


def test_none_is_the_default(open_store: Open) -> None:
    config = open_store()
    asyncio.run(config.change({"limits/size": "80M", "limits/name": ["a"]}))
    asyncio.run(config.change({"limits/size": None, "limits/name": None}))
    assert config.section(Limits) == open_store().section(Limits) == Limits()


def test_changes_at_the_same_time_are_all_made(open_store: Open) -> None:
    config = open_store()

    async def both() -> None:
        await asyncio.gather(config.change({"limits/size": "80M"}), config.change({"limits/wait": "1h"}))

    asyncio.run(both())
    assert open_store().section(Limits) == Limits(size=Size("80M"), wait=Duration("1h"))
