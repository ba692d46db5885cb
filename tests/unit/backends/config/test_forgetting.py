"""A mailserver.cfg that lost its settings is not taken into use by itself: as with users.cfg."""

import asyncio
from pathlib import Path

import pytest

from tests.unit.backends.config.samples import Root
from whimbrel.backends.config.forgetting import WORDS
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigError, Unconfirmed

TEMPLATE = "<mailserver>\n</mailserver>\n"
FULL = (
    '<mailserver version="1.0"><services><imap><listen>127.0.0.1:1143</listen><enabled>no</enabled></imap></services>'
    "<smtp><count>7</count><wait>90s</wait><name>a</name></smtp>"
    '<zone name="bl.example.org"><score>2</score></zone></mailserver>'
)


def config(path: Path, text: str = FULL) -> FileConfig:
    path.write_text(text)
    made = FileConfig(path, Root)
    made.load()
    return made


def lose(path: Path, how: str) -> None:
    if how == "deleted":
        path.unlink()
    else:
        path.write_text(how)


@pytest.mark.parametrize("how", ["deleted", TEMPLATE, "<mailserver><smtp><count>7</count></smtp></mailserver>"])
def test_settings_are_forgotten_only_for_who_types_the_words(tmp_path: Path, how: str) -> None:
    path = tmp_path / "mailserver.cfg"
    made = config(path)
    lose(path, how)
    assert ("is missing" in made.forgets()) == (how == "deleted") and "smtp/wait" in made.forgets()
    for trial in (True, False):
        with pytest.raises(Unconfirmed, match="config keep") as caught:
            asyncio.run(made.reload(trial=trial))
        assert caught.value.words == WORDS
    assert made.get("smtp/wait") == "90s"
    assert "smtp/wait" in asyncio.run(made.reload(confirmed=WORDS, trial=True))
    assert made.get("smtp/wait") == "90s"
    asyncio.run(made.reload(confirmed=WORDS))
    assert made.get("smtp/wait") != "90s" and made.forgets() == ""


def test_keep_writes_a_deleted_file_again(tmp_path: Path) -> None:
    made = config(tmp_path / "mailserver.cfg")
    lose(tmp_path / "mailserver.cfg", "deleted")
    asyncio.run(made.keep())
    assert (tmp_path / "mailserver.cfg").read_text() == FULL and made.forgets() == ""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (FULL, FULL.replace("<count>7</count>", "")),
        (FULL, FULL.replace("<count>7</count>", "<count>8</count>").replace("90s", "91s")),
        (TEMPLATE, "deleted"),
        (TEMPLATE, FULL),
    ],
)
def test_nothing_is_asked_where_little_is_lost(tmp_path: Path, before: str, after: str) -> None:
    path = tmp_path / "mailserver.cfg"
    made = config(path, before)
    lose(path, after)
    assert made.forgets() == ""
    asyncio.run(made.reload())


def test_a_former_version_without_settings_asks_as_well(tmp_path: Path) -> None:
    path = tmp_path / "mailserver.cfg"
    made = config(path, TEMPLATE)
    asyncio.run(made.change({"smtp/count": "9", "smtp/wait": "90s"}))
    template = made.former()[0].number
    with pytest.raises(ConfigError, match="none of the"):
        asyncio.run(made.restore(template))
    asyncio.run(made.restore(template, confirmed=WORDS))
    assert path.read_text() == TEMPLATE


def test_the_only_setting_that_was_made_is_all_of_them(tmp_path: Path) -> None:
    path = tmp_path / "mailserver.cfg"
    made = config(path, "<mailserver><smtp><count>7</count></smtp></mailserver>")
    path.write_text(TEMPLATE)
    with pytest.raises(Unconfirmed, match="none of the 1 settings"):
        asyncio.run(made.reload())
