"""`tokens.json`: whole, durable, and read anew when another hand wrote it."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool
from whimbrel.backends.config import kept_rows
from whimbrel.backends.config import tokens as module
from whimbrel.backends.config.tokens import TokenFile
from whimbrel.core.config import ConfigError
from whimbrel.core.tokens import Token


def token(name: str) -> Token:
    return Token(name, "ab" * 32, "alice@example.org", ("domain example.org",), 1.0, 2.0)


def file(folder: Path) -> TokenFile:
    return TokenFile(folder / "tokens.json", folder / "users.cfg", InlinePool())


def test_what_was_added_is_there_for_another_process(tmp_path: Path) -> None:
    async def work() -> None:
        ours, theirs = file(tmp_path), file(tmp_path)
        assert await theirs.tokens() == []
        await ours.change(add=[token("b"), token("a")])
        assert await theirs.tokens() == [token("a"), token("b")]
        await theirs.change(remove=["a"])
        assert await ours.tokens() == [token("b")]
        assert not list(tmp_path.glob("*.new"))

    asyncio.run(work())


def test_a_change_is_durable_before_it_returns(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []
    monkeypatch.setattr(kept_rows, "sync", lambda descriptor: done.append("file"))
    monkeypatch.setattr(kept_rows, "sync_folder", lambda folder: done.append("folder"))
    asyncio.run(file(tmp_path).change(add=[token("a")]))
    assert done == ["file", "folder"]


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"version": "1.0", "tokens": [{}]}', '{"version": "2.0", "tokens": []}']
)
def test_a_file_that_cannot_be_read_lets_nobody_in_and_is_not_written_over(tmp_path: Path, content: str) -> None:
    async def work() -> None:
        (tmp_path / "tokens.json").write_text(content)
        with pytest.raises(ConfigError, match="make the tokens anew"):
            await file(tmp_path).tokens()
        with pytest.raises(ConfigError):
            await file(tmp_path).change(add=[token("a")])
        assert (tmp_path / "tokens.json").read_text() == content

    asyncio.run(work())


def test_there_are_only_so_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOKENS", 1)

    async def work() -> None:
        with pytest.raises(ConfigError, match="revoke some"):
            await file(tmp_path).change(add=[token("a"), token("b")])
        assert not (tmp_path / "tokens.json").exists()

    asyncio.run(work())


def test_one_more_field_of_a_later_release_does_no_harm(tmp_path: Path) -> None:
    asyncio.run(file(tmp_path).change(add=[token("a")]))
    content = json.loads((tmp_path / "tokens.json").read_text())
    content["tokens"][0]["networks"] = ["192.0.2.0/24"]
    content["version"] = "1.1"
    (tmp_path / "tokens.json").write_text(json.dumps(content))
    assert asyncio.run(file(tmp_path).tokens()) == [token("a")]
