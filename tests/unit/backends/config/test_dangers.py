"""What a setting declares as dangerous is taken only from who types the words, by whatever way it comes."""

import asyncio
from pathlib import Path

import pytest

from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigError, Unconfirmed
from whimbrel.core.settings import Danger, Section, required, setting


class Entry(Section, tag="entry", key="name"):
    """One."""

    name: str = required(help="Its name.")
    tls: bool = setting(True, help="TLS.", danger=Danger("it can be read", "no TLS", ("no",)))


class Part(Section, tag="part"):
    """A part."""

    place: str = setting("here", help="Where.", danger=Danger("it is elsewhere", "another place"))
    networks: tuple[str, ...] = setting((), help="Who.", item="network", danger=Danger("all may", "open", ("all",)))
    tls: bool = setting(True, help="TLS.", danger=Danger("it can be read", "no TLS", ("no",)))
    entries: tuple[Entry, ...] = setting((), help="Entries.", ordered=True)


class Root(Section, tag="root"):
    """All."""

    part: Part = setting(Part(), help="A part.")


@pytest.fixture
def config(tmp_path: Path) -> FileConfig:
    return FileConfig(tmp_path / "mailserver.cfg", Root)


def words(config: FileConfig, values: dict[str, object]) -> str:
    """Those that are asked for; empty: none are."""
    try:
        config.check(values)
    except Unconfirmed as asked:
        return asked.words
    return ""


@pytest.mark.parametrize(
    ("values", "asked"),
    [
        ({"part/tls": "no"}, "no TLS"),
        ({"part/tls": "yes"}, ""),
        ({"part/place": "there"}, "another place"),
        ({"part/place": "here"}, ""),
        ({"part/network": ("some",)}, ""),
        ({"part/network": ("some", "all")}, "open"),
        ({"part/entry[a]/tls": "no"}, "no TLS"),
        ({"part/entry[a]/tls": "yes"}, ""),
        ({"part/tls": "no", "part/entry[a]/tls": "no"}, "no TLS"),
        ({"part/tls": "no", "part/place": "there"}, "another place and no TLS"),
    ],
)
def test_words_are_asked_for_dangerous_values_alone(config: FileConfig, values: dict[str, object], asked: str) -> None:
    assert words(config, values) == asked


def test_it_is_done_for_the_words_of_all_that_is_dangerous_and_for_no_others(config: FileConfig) -> None:
    change: dict[str, object] = {"part/tls": "no", "part/place": "there"}
    for typed in ("", "no TLS", "another place", "no TLS and another place", "yes"):
        with pytest.raises(Unconfirmed) as caught:
            asyncio.run(config.change(change, confirmed=typed))
        assert [fault.path for fault in caught.value.faults] == ["part/place", "part/tls"]
    assert config.get("part/tls") == "yes"
    assert asyncio.run(config.change(change, confirmed="another place and no TLS")) == {"part/tls", "part/place"}
    assert words(config, {"part/network": ("some",)}) == ""  # What was dangerous before is not asked of again.
    assert words(config, {"part/tls": None}) == "" and words(config, {"part/place": None}) == "another place"


def test_an_edit_of_the_file_is_asked_of_too(config: FileConfig, tmp_path: Path) -> None:
    asyncio.run(config.change({"part/network": ("some",)}))
    file = tmp_path / "mailserver.cfg"
    file.write_text(file.read_text().replace("<network>some</network>", "<tls>no</tls>"))
    with pytest.raises(Unconfirmed, match="it can be read"):
        asyncio.run(config.reload())
    assert config.get("part/tls") == "yes"
    asyncio.run(config.reload(confirmed="no TLS"))
    assert config.get("part/tls") == "no"


def test_a_list_of_sections_is_put_in_another_order_by_its_names(config: FileConfig, tmp_path: Path) -> None:
    asyncio.run(config.change({"part/entry[a]/tls": "yes", "part/entry[b]/tls": "yes", "part/entry[c]/tls": "yes"}))
    assert asyncio.run(config.change({"part/entry": ("c", "a", "b")})) == {"part/entry"}
    text = (tmp_path / "mailserver.cfg").read_text()
    assert [text.index(f'name="{name}"') for name in "cab"] == sorted(text.index(f'name="{name}"') for name in "cab")
    more: dict[str, object] = {"part/entry": ("d", "b", "c"), "part/entry[d]/tls": "yes", "part/entry[a]": None}
    asyncio.run(config.change(more))
    assert [setting.path for setting in config.settings() if setting.path.startswith("part/entry")] == [
        f"part/entry[{name}]/tls" for name in "dbc"
    ]
    for names in (("c", "b"), ("c", "b", "b"), ("c", "b", "x"), ("c", "a", "b", "d")):
        with pytest.raises(ConfigError, match="name each entry once"):
            asyncio.run(config.change({"part/entry": names}))


@pytest.mark.parametrize(("text", "typed"), [("", "x"), ("x", ""), ("x", " x")])
def test_a_danger_that_nobody_could_confirm_is_no_declaration(text: str, typed: str) -> None:
    with pytest.raises(TypeError):
        Danger(text, typed)
