"""A filter with a setting is one file and one line of a table: its section is in the configuration file, in the
documentation and in the filter that runs."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from pydantic import create_model

from tests.support.fakes import InlinePool
from tests.support.filters import BlockList, BlockListSettings, Says, filter_ports
from tests.support.flow_fakes import FakeResolver
from tests.support.reception_house import STRANGER
from whimbrel.app import docs
from whimbrel.app.settings import MailServer
from whimbrel.backends.config import paths, tree, xml
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigError
from whimbrel.core.intake import Origin
from whimbrel.core.settings import Section, setting
from whimbrel.flow.assessment import Assessment, Finding, Stage
from whimbrel.flow.judging.filter import Filter, WaitingSettings
from whimbrel.flow.judging.filters import FILTERS
from whimbrel.flow.judging.policy import Policy
from whimbrel.flow.judging.sections import filters_section
from whimbrel.flow.transaction import Transaction

TABLE: tuple[type[Filter], ...] = (*FILTERS, BlockList)
ROOT: Any = create_model("MailServer", __base__=MailServer, filters=(filters_section(TABLE), filters_section(TABLE)()))


class Listed(FakeResolver):
    async def exists(self, name: str) -> bool:
        return name == "66.2.0.192.bl.test"


def test_its_settings_stand_in_the_file_and_are_in_force(tmp_path: Path) -> None:
    config = FileConfig(tmp_path / "mailserver.cfg", ROOT, pool=InlinePool())

    async def check() -> Finding:
        await config.change({"filters/block-list/zone": "bl.test", "filters/block-list/score": "7.5"})
        ports = filter_ports(config, resolver=Listed())
        policy = Policy([kind(ports) for kind in TABLE], ports)
        tx, known = Transaction("", Origin.INBOUND, STRANGER, None, None), Assessment()
        await policy.judge(Stage.CONNECT, tx, known)
        return known.own["block-list"]

    assert asyncio.run(check()).symbols[0].score == 7.5
    written = (tmp_path / "mailserver.cfg").read_text()
    assert "<block-list>" in written and "<zone>bl.test</zone>" in written
    with pytest.raises(ConfigError):
        asyncio.run(config.change({"filters/block-list/when-down": "sometimes"}))
    again = FileConfig(tmp_path / "mailserver.cfg", ROOT)
    again.load()
    assert again.section(BlockListSettings) == BlockListSettings(zone="bl.test", score=7.5)


def test_its_settings_stand_in_the_documentation_and_the_sample() -> None:
    known = [path for path, _, _ in paths.declared(ROOT)]
    assert "filters/block-list/score" in known and "filters/block-list/when-down" in known
    page = docs.settings_page(ROOT)
    assert "## filters/block-list" in page and "A list of addresses that is asked about each connecting client." in page
    assert "<zone>bl.example</zone>" in docs.sample(ROOT)


def test_the_whole_goes_through_xml_and_the_table_in_use_has_all_of_its_sections() -> None:
    root = ROOT()
    assert xml.read(tree.build(root), ROOT, "f")[0] == root
    tags = {kind.settings.tag for kind in FILTERS if kind.settings is not None}
    assert set(filters_section(FILTERS).elements()) == tags
    assert set(type(MailServer().filters).elements()) == tags


def test_two_filters_share_a_section_and_two_sections_share_no_tag() -> None:
    class Other(Says):
        settings = BlockListSettings

    class Twin(WaitingSettings, tag="block-list"):
        """Another with the same tag."""

    class Clash(Says):
        name, settings = "clash", Twin

    class Nameless(Section):
        x: int = setting(1, help="A number.")

    class Untagged(Says):
        name, settings = "untagged", Nameless

    assert list(filters_section([BlockList, Other]).elements()) == ["block-list"]
    for table in ([BlockList, Clash], [Untagged]):
        with pytest.raises(ValueError, match="tag of its own"):
            filters_section(table)
