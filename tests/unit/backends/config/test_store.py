"""Paths of settings, lists, foreign edits, former versions."""

import asyncio
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool, MemoryLog
from tests.unit.backends.config.samples import Root, Service, Services, Smtp, Zone
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigConflict, ConfigError, UnknownName
from whimbrel.core.values import Secret


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "mailserver.cfg"


def store(path: Path, text: str = "") -> FileConfig:
    if text:
        path.write_text(text)
    config = FileConfig(path, Root, pool=InlinePool(), log=MemoryLog())
    config.load()
    return config


def change(config: FileConfig, **values: object) -> frozenset[str]:
    return asyncio.run(config.change({name.replace("__", "/").replace("_", "-"): v for name, v in values.items()}))


def test_nested_settings_and_lists_are_set_by_path(path: Path) -> None:
    config = store(path)
    assert change(config, services__imap__listen=("127.0.0.1:1143", "[::1]:1143"), smtp__count=7) == {
        "services/imap/listen",
        "smtp/count",
    }
    assert config.section(Service).listen == ("127.0.0.1:1143", "[::1]:1143")
    assert config.section(Services).imap is config.section(Service)
    assert config.get("services/imap/listen") == ("127.0.0.1:1143", "[::1]:1143")
    assert store(path).root == config.root


def test_text_for_a_list_is_cut_at_its_commas(path: Path) -> None:
    config = store(path)
    change(config, smtp__name="a, b,c")
    assert config.section(Smtp).names == ("a", "b", "c")
    change(config, smtp__name="")
    assert config.section(Smtp).names == ()


def test_values_of_json_and_toml_are_taken(path: Path) -> None:
    config = store(path)
    change(config, services__imap__enabled=False, smtp__count=3, smtp__wait=90, smtp__name=["x"])
    assert (config.section(Service).enabled, config.section(Smtp).count) == (False, 3)
    assert config.section(Smtp).wait == 90


def test_entries_of_lists_are_made_changed_and_taken_out_by_name(path: Path) -> None:
    config = store(path)
    asyncio.run(config.change({"zone[bl.example.org]/score": "2", "rule[1]/text": "a", "rule[2]/text": "b"}))
    assert config.section(Root).zones == (Zone(name="bl.example.org", score=2),)
    assert config.get("zone[bl.example.org]/score") == "2"
    assert asyncio.run(config.change({"zone[bl.example.org]/score": "4"})) == {"zone[bl.example.org]/score"}
    assert asyncio.run(config.change({"rule[1]": None})) == {"rule", "rule[1]/text"}
    assert [rule.text for rule in config.section(Root).rules] == ["b"]
    assert asyncio.run(config.change({"zone[bl.example.org]": None})) == {"zone"}
    assert config.section(Root).zones == ()
    with pytest.raises(ConfigError, match="counted from 1; the next is 2"):
        asyncio.run(config.change({"rule[7]/text": "x"}))


def test_none_is_the_default_again(path: Path) -> None:
    config = store(path, "<mailserver><smtp><count>7</count></smtp></mailserver>")
    assert change(config, smtp__count=None) == {"smtp/count"}
    assert "count" not in path.read_text()


def test_nothing_different_writes_nothing(path: Path) -> None:
    config = store(path)
    assert change(config, smtp__count="5") == frozenset()
    assert not path.exists()


@pytest.mark.parametrize(
    "name, words",
    [
        ("smtp/cuont", "did you mean 'smtp/count'?"),
        ("count", "did you mean 'smtp/count'?"),
        ("smtp", "this is a section"),
        ("smtp/count/x", "there is no such setting"),
        ("zone/score", r"name an entry: zone\[...\]"),
        ("smtp/count[3]", "no entries"),
        ("../../x", "there is no such setting"),
        ("", "there is no such setting"),
    ],
)
def test_an_unknown_path_names_the_nearest(path: Path, name: str, words: str) -> None:
    with pytest.raises(UnknownName, match=words):
        store(path).describe(name)
    with pytest.raises(ConfigError, match=words):
        asyncio.run(store(path).change({name: "1"}))


def test_every_fault_of_a_change_is_told_with_its_path_and_nothing_is_changed(path: Path) -> None:
    config = store(path)
    with pytest.raises(ConfigError) as caught:
        change(config, smtp__count="11", smtp__tls="ssl", smtp__wiat="1h", smtp__wait="5h", smtp__hostname=["a"])
    assert {(fault.path, fault.text) for fault in caught.value.faults} == {
        ("smtp/count", "11 is above the maximum of 10"),
        ("smtp/tls", "'ssl' is not one of 'none', 'starttls' or 'implicit'"),
        ("smtp/wiat", "there is no such setting; did you mean 'smtp/wait'?"),
        ("smtp/hostname", "one value is meant, not a list"),
    }
    assert config.root == Root()
    assert not path.exists()


@pytest.mark.parametrize("value", ["a\x00b", "\x1b[31m", "\ud800", "\ufffe", "x" * (2 << 20)])
def test_what_xml_cannot_hold_is_refused(path: Path, value: str) -> None:
    with pytest.raises(ConfigError, match=r"control characters|too long"):
        change(store(path), smtp__greeting=value)


def test_a_carriage_return_in_a_value_survives(path: Path) -> None:
    config = store(path)
    change(config, smtp__greeting="a\r\nb ")
    assert store(path).section(Smtp).greeting == "a\r\nb "


def test_a_setting_tells_all_about_itself(path: Path) -> None:
    config = store(path)
    size = config.describe("smtp/max-message-size")
    assert (size.kind, size.value, size.default, size.minimum, size.is_default) == ("size", "50M", "50M", "1M", True)
    tls = config.describe("smtp/tls")
    assert (tls.kind, tls.choices) == ("choice", ("none", "starttls", "implicit"))
    listen = config.describe("services/imap/listen")
    assert (listen.kind, listen.value, listen.applies) == ("list", ("*:143",), "service")
    assert config.describe("services/imap/enabled").value == "yes"
    assert config.describe("smtp/password").kind == "password"
    assert [found.path for found in config.search("largest message")] == ["smtp/max-message-size"]
    assert [found.path for found in config.settings()][:2] == ["smtp/max-message-size", "smtp/hostname"]


def test_a_secret_is_shown_to_nobody(path: Path) -> None:
    config = store(path)
    change(config, smtp__password=Secret("hunter2"))
    assert "<password>hunter2</password>" in path.read_text()
    assert config.get("smtp/password") == config.describe("smtp/password").value == "********"
    path.write_text(path.read_text().replace("hunter2", "hunter3"))
    assert "hunter" not in config.difference()
    assert "-    <password>******** (1)</password>\n+    <password>******** (2)</password>" in config.difference()


def test_an_edit_made_outside_is_not_overwritten_but_shown(path: Path) -> None:
    config = store(path, "<mailserver>\n  <smtp>\n    <count>7</count>\n  </smtp>\n</mailserver>\n")
    edited = path.read_text().replace("7", "8")
    path.write_text(edited)
    with pytest.raises(ConfigConflict) as caught:
        change(config, smtp__tls="starttls")
    assert "-    <count>7</count>\n+    <count>8</count>" in caught.value.difference
    assert path.read_text() == edited
    assert config.section(Smtp).count == 7
    assert asyncio.run(config.reload()) == {"smtp/count"}
    change(config, smtp__tls="starttls")
    assert config.difference() == ""


def test_ours_can_be_kept_and_theirs_is_a_former_version(path: Path) -> None:
    config = store(path, "<mailserver><smtp><count>7</count></smtp></mailserver>\n")
    path.write_text("<mailserver/>\n")
    asyncio.run(config.keep())
    assert "<count>7" in path.read_text()
    assert config.former()[0].path.read_text() == "<mailserver/>\n"
    assert config.difference() == ""


def test_a_file_that_was_only_touched_is_no_conflict(path: Path) -> None:
    config = store(path, "<mailserver/>")
    path.write_text("<mailserver/>")
    assert change(config, smtp__count="6") == {"smtp/count"}


def test_a_faulty_edit_is_refused_as_a_whole_and_the_snapshot_stays(path: Path) -> None:
    config = store(path, "<mailserver><smtp><count>7</count></smtp></mailserver>")
    path.write_text("<mailserver><smtp><count>8</count><wait>x</wait></smtp></mailserver>")
    for again in (lambda: asyncio.run(config.reload()), config.reload_if_changed, config.verify):
        with pytest.raises(ConfigError, match="is not a duration"):
            again()
        assert config.section(Smtp).count == 7


def test_a_worker_follows_when_told(path: Path) -> None:
    control, worker = store(path), store(path)
    heard: list[frozenset[str]] = []
    worker.subscribe(heard.append)
    assert worker.reload_if_changed() == frozenset()
    change(control, smtp__count="9")
    assert worker.section(Smtp).count == 5
    assert worker.reload_if_changed() == {"smtp/count"}
    assert worker.section(Smtp).count == 9
    assert heard == [frozenset({"smtp/count"})]


def test_a_former_version_is_put_back_as_a_change(path: Path) -> None:
    config = store(path)
    change(config, smtp__count="6")
    change(config, smtp__count="7")
    former = config.former()
    assert "-    <count>7</count>\n+    <count>6</count>" in config.difference_to(former[0].number)
    assert asyncio.run(config.restore(former[0].number)) == {"smtp/count"}
    assert config.section(Smtp).count == 6
    with pytest.raises(LookupError):
        asyncio.run(config.restore(999))


def test_a_class_that_stands_in_no_table_is_a_mistake_of_ours(path: Path) -> None:
    with pytest.raises(KeyError):
        store(path).section(Zone)


def test_who_begins_with_a_snapshot_shares_it_unless_the_file_is_another_by_now(path: Path) -> None:
    first = store(path)
    change(first, smtp__count=7)
    shared = FileConfig(path, Root, pool=InlinePool(), log=MemoryLog())
    shared.begin(first.snapshot)
    assert shared.root is first.root
    change(store(path), smtp__count=8)
    assert shared.reload_if_changed() == {"smtp/count"}
    late = FileConfig(path, Root, pool=InlinePool(), log=MemoryLog())
    late.begin(first.snapshot)
    assert (late.section(Smtp).count, first.section(Smtp).count) == (8, 7)


def test_a_file_that_is_refused_by_now_refuses_who_begins(path: Path) -> None:
    first = store(path)
    change(first, smtp__count=7)
    path.write_text("<no")
    with pytest.raises(ConfigError):
        FileConfig(path, Root).begin(first.snapshot)


def test_each_who_begins_is_told_what_a_newer_version_brought(path: Path) -> None:
    first = store(path, '<mailserver version="1.9"><smtp><count>7</count><unknown>1</unknown></smtp></mailserver>')
    log = MemoryLog()
    FileConfig(path, Root, log=log).begin(first.snapshot)
    assert first.warnings and len(log.named("config.unknown")) == len(first.warnings)
