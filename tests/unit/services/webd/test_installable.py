"""The console can be installed: what its manifest promises is there, as large as it says, and served as what it is."""

import asyncio
import json
import re
import shutil
import struct
from pathlib import Path

import pytest

from tests.support.server import ROOT
from tests.unit.services.webd.bench import Answer, Bench

CONSOLE = ROOT / "web" / "console"
INDEX = (CONSOLE / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As the build lays it out: what is public beside the page."""
    built = tmp_path_factory.mktemp("console") / "built"
    shutil.copytree(CONSOLE / "public", built)
    (built / "index.html").write_text(INDEX, encoding="utf-8")
    return built


def get(folder: Path, target: str) -> Answer:
    return asyncio.run(Bench(folder.parent, folder).get(target))


def linked(rel: str) -> str:
    match = re.search(rf'<link rel="{rel}" href="([^"]+)"', INDEX)
    assert match, rel
    return match[1]


def size_of(png: bytes) -> str:
    """Of the IHDR chunk. PNG 11.2.1"""
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and png[12:16] == b"IHDR"
    width, height = struct.unpack(">II", png[16:24])
    return f"{width}x{height}"


def test_the_page_names_a_manifest_that_is_served_as_one(folder: Path) -> None:
    answer = get(folder, linked("manifest"))
    assert (answer.status, answer["content-type"]) == (200, "application/manifest+json")
    manifest = json.loads(answer.body)
    assert manifest["name"] and manifest["short_name"] and manifest["display"] == "standalone"
    assert manifest["start_url"].startswith(manifest["scope"]) and manifest["id"] == "/"


def test_each_icon_is_there_as_large_as_it_says_and_of_its_type(folder: Path) -> None:
    icons = json.loads(get(folder, linked("manifest")).body)["icons"]
    sizes = {(icon["sizes"], icon["purpose"]) for icon in icons if icon["type"] == "image/png"}
    # What browsers ask of a page that can be installed.
    assert {("192x192", "any"), ("512x512", "any"), ("512x512", "maskable")} <= sizes
    for icon in icons:
        answer = get(folder, icon["src"])
        assert (answer.status, answer["content-type"]) == (200, icon["type"]), icon["src"]
        if icon["type"] == "image/png":
            assert size_of(answer.body) == icon["sizes"]
    apple = get(folder, linked("apple-touch-icon"))
    assert (apple["content-type"], size_of(apple.body)) == ("image/png", "180x180")


def test_shortcuts_lead_to_screens(folder: Path) -> None:
    table = (CONSOLE / "src" / "app" / "screens.ts").read_text(encoding="utf-8")
    for shortcut in json.loads(get(folder, linked("manifest")).body)["shortcuts"]:
        assert f'path: "{shortcut["url"]}"' in table
