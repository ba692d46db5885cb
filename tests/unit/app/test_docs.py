"""What is generated is up to date, and the samples are files that a server would start with."""

import re
from functools import cache
from pathlib import Path

import pytest

from whimbrel.app import docs
from whimbrel.app.settings import MailServer
from whimbrel.backends.config import paths, xml
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.records import schema_of
from whimbrel.services.admin.people.records import RECORDS

GENERATED = Path(__file__).resolve().parents[3] / "docs" / "gen"


made = cache(docs.files)
"""Everything is made at once: the sources are read for it."""


@pytest.mark.parametrize("name", sorted(made()))
def test_what_is_generated_is_up_to_date(name: str) -> None:
    assert docs.place(name, GENERATED).read_text(encoding="utf-8") == made()[name], "run `make docs`"


def test_check_tells_of_what_is_stale_and_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert docs.main([str(tmp_path)]) == 0
    assert docs.main(["--check", str(tmp_path)]) == 0
    (tmp_path / "settings.md").write_text("old")
    assert docs.main(["--check", str(tmp_path)]) == 1
    assert "settings.md" in capsys.readouterr().err
    assert (tmp_path / "settings.md").read_text() == "old"
    assert docs.main([]) == 2


def test_the_sample_is_a_file_of_all_defaults() -> None:
    content = made()["mailserver.cfg.sample"].encode()
    assert xml.read(xml.parse(content, "f"), MailServer, "f")[0] == MailServer()


def test_the_sample_shows_every_setting_and_what_it_shows_can_be_set() -> None:
    content = made()["mailserver.cfg.sample"]
    for path, _, _ in paths.declared(MailServer):
        assert f"<{path.rpartition('/')[2]}>" in content, path
    # Without the remark marks and what is not a value, every line is a setting.
    shown = re.sub(r"<!-- [^<]*?-->", "", re.sub(r"<!-- [^<]*?\n(?=\s*<)", "", content).replace(" -->", ""))
    shown = re.sub(
        r"<[a-z-]+>\.\.\.</[a-z-]+>|<(route|host|event|server|ip-group|time-interval) (domain|name)=.*?</\1>",
        "",
        shown,
        flags=re.DOTALL,
    )
    xml.read(xml.parse(shown.encode(), "f"), MailServer, "f")


def test_the_sample_of_people_is_a_file_of_people(tmp_path: Path) -> None:
    (tmp_path / "users.cfg").write_text(made()["users.cfg.sample"])
    editor = DirectoryFile(tmp_path / "users.cfg", tmp_path / "users.idx", records=RECORDS)
    assert editor.open()
    editor.close()
    root, _ = xml.read(xml.parse((tmp_path / "users.cfg").read_bytes(), "f"), schema_of(RECORDS).root, "f")
    assert [user["name"] for user in root.model_dump()["domains"][0]["users"]] == ["alice", "bob"]
