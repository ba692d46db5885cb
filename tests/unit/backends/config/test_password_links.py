"""`password-links.json`: one link of an account, durable, and nothing of what has run out."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.fakes import FakeClock, InlinePool
from whimbrel.backends.config import kept_rows
from whimbrel.backends.config import password_links as module
from whimbrel.backends.config.password_links import PasswordLinkFile
from whimbrel.core.config import ConfigError
from whimbrel.core.password_links import PasswordLink


def link(account: str, digest: str = "ab" * 32, *, expires: float = 4e9) -> PasswordLink:
    return PasswordLink(account, digest, "id", "", "alice@example.org", ("domain",), "example.org", "", 1.0, expires)


def file(folder: Path, clock: FakeClock | None = None) -> PasswordLinkFile:
    return PasswordLinkFile(folder / "password-links.json", folder / "users.cfg", InlinePool(), clock or FakeClock())


def test_a_newer_link_takes_the_place_of_the_account_s_former_one(tmp_path: Path) -> None:
    async def work() -> None:
        ours, theirs = file(tmp_path), file(tmp_path)
        assert await theirs.links() == []
        await ours.change(add=[link("b", "01" * 32), link("a")])
        await ours.change(add=[link("b", "02" * 32)])
        assert await theirs.links() == [link("a"), link("b", "02" * 32)]
        await theirs.change(remove=["a"])
        assert await ours.links() == [link("b", "02" * 32)]

    asyncio.run(work())


def test_what_has_run_out_is_not_told_and_goes_with_the_next_change(tmp_path: Path) -> None:
    async def work() -> None:
        clock = FakeClock()
        links = file(tmp_path, clock)
        await links.change(add=[link("a", expires=clock.now() + 10)])
        clock.forward(10)
        assert await links.links() == []
        await links.change(add=[link("b")])
        content = json.loads((tmp_path / "password-links.json").read_text())
        assert [each["account"] for each in content["links"]] == ["b"]

    asyncio.run(work())


def test_a_change_is_durable_before_it_returns_and_what_changes_nothing_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    monkeypatch.setattr(kept_rows, "sync", lambda descriptor: done.append("file"))
    monkeypatch.setattr(kept_rows, "sync_folder", lambda folder: done.append("folder"))

    async def work() -> None:
        links = file(tmp_path)
        await links.change(add=[link("a")])
        await links.change(remove=["nobody"])

    asyncio.run(work())
    assert done == ["file", "folder"]


def test_there_are_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_LINKS", 1)

    async def work() -> None:
        with pytest.raises(ConfigError, match="let them run out"):
            await file(tmp_path).change(add=[link("a"), link("b")])
        assert not (tmp_path / "password-links.json").exists()

    asyncio.run(work())


def test_a_file_that_cannot_be_read_opens_nothing_and_is_not_written_over(tmp_path: Path) -> None:
    async def work() -> None:
        (tmp_path / "password-links.json").write_text('{"version": "1.0", "links": [{}]}')
        with pytest.raises(ConfigError, match="make the links anew"):
            await file(tmp_path).links()
        with pytest.raises(ConfigError):
            await file(tmp_path).change(add=[link("a")])

    asyncio.run(work())
