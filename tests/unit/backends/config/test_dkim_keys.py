"""Keys in files: one of a domain's generations signs, nobody else reads them, and no crash leaves half of a change."""

import asyncio
import json
import os
import stat
from pathlib import Path

import pytest

from tests.support.fakes import FakeClock, InlinePool
from whimbrel.backends.config.dkim_keys import DkimKeyFiles
from whimbrel.core.config import ConfigError
from whimbrel.core.errors import MailError
from whimbrel.core.signing import MAX_GENERATIONS

CLOCK = FakeClock()


def ring(folder: Path) -> DkimKeyFiles:
    return DkimKeyFiles(folder / "keys" / "dkim", folder, InlinePool(), CLOCK)


def test_prepared_keys_sign_when_they_are_moved(tmp_path: Path) -> None:
    async def work() -> None:
        keys, other = ring(tmp_path), ring(tmp_path)
        assert await keys.signing("example.test") == ()
        first = await keys.make("example.test", "signing")
        CLOCK.forward(3)
        signing = await other.signing("example.test")
        assert [key.selector for key in signing] == [half.selector for half in first.keys]
        assert [key.algorithm for key in signing] == ["rsa-sha256", "ed25519-sha256"]
        second = await keys.make("example.test", "prepared")
        assert second.name != first.name
        await keys.move("example.test", second.name, "signing")
        CLOCK.forward(3)
        assert [key.selector for key in await other.signing("example.test")] == [half.selector for half in second.keys]
        assert [(each.name, each.state) for each in await keys.generations("example.test")] == [
            (second.name, "signing"), (first.name, "retired"),
        ]  # fmt: skip
        assert await keys.domains() == ["example.test"]

    asyncio.run(work())


def test_nobody_else_reads_them(tmp_path: Path) -> None:
    asyncio.run(ring(tmp_path).make("example.test", "signing"))
    file = tmp_path / "keys" / "dkim" / "example.test.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == stat.S_IMODE(file.parent.parent.stat().st_mode) == 0o700
    assert os.listdir(file.parent) == [file.name]


def test_a_damaged_file_is_said_and_not_written_over(tmp_path: Path) -> None:
    keys = ring(tmp_path)
    asyncio.run(keys.make("example.test", "signing"))
    file = tmp_path / "keys" / "dkim" / "example.test.json"
    for text in (
        "{",
        json.dumps({"version": "2.0", "generations": []}),
        json.dumps({"version": "1.0", "generations": [{}]}),
    ):
        file.write_text(text)
        CLOCK.forward(3)
        with pytest.raises(MailError) as failure:
            asyncio.run(keys.signing("example.test"))
        assert failure.value.code == 451
        with pytest.raises(ConfigError):
            asyncio.run(keys.make("example.test", "prepared"))
        assert file.read_text() == text


def test_generations_are_bounded_and_the_last_takes_the_file_away(tmp_path: Path) -> None:
    async def work() -> None:
        keys = ring(tmp_path)
        for _ in range(MAX_GENERATIONS):
            await keys.make("example.test", "prepared")
        with pytest.raises(ConfigError):
            await keys.make("example.test", "prepared")
        for generation in await keys.generations("example.test"):
            await keys.remove("example.test", generation.name)
        assert await keys.domains() == []
        with pytest.raises(ConfigError):
            await keys.remove("example.test", "w1")

    asyncio.run(work())


def test_no_name_leads_out_of_the_folder(tmp_path: Path) -> None:
    for name in ("../../etc/passwd", "a/b", "..", ""):
        assert asyncio.run(ring(tmp_path).signing(name)) == ()
        with pytest.raises(ValueError):
            asyncio.run(ring(tmp_path).make(name, "prepared"))
