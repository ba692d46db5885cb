"""A room that contributes a part to users and domains: the file, the index and the account have it by that alone."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool
from tests.unit.backends.directory.files import FILE, put
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.core.config import ConfigError
from whimbrel.core.directory import Kind
from whimbrel.core.mailbox import AccountId
from whimbrel.core.people import recipient
from whimbrel.core.record import Part, value
from whimbrel.services.admin.people.records import ALIAS, DOMAIN, GROUP, USER


@dataclass(frozen=True, slots=True)
class Sample(Part):
    """Two values of a room."""

    sample_score: float | None = value(None, minimum=0, maximum=100, help="A sample.")
    sample_report: str = value("", check=lambda text: recipient(text) if text else "", address=True, help="Who hears.")


RECORDS = (DOMAIN.with_part(Sample), USER.with_part(Sample), ALIAS, GROUP)


def opened(folder: Path) -> DirectoryFile:
    if not (folder / "users.cfg").exists():
        (folder / "users.cfg").write_text(FILE, encoding="utf-8")
    editor = DirectoryFile(folder / "users.cfg", folder / "users.idx", records=RECORDS, pool=InlinePool())
    editor.open()
    return editor


def test_a_contributed_value_is_written_read_and_listed(tmp_path: Path) -> None:
    editor = opened(tmp_path)
    editor.edit([put(Kind.USER, "example.org", "alice", sample_score="4.5")])
    editor.edit([put(Kind.DOMAIN, "example.org", sample_score="7")])
    assert "<sample-score>4.5</sample-score>" in (tmp_path / "users.cfg").read_text()
    directory = IndexDirectory(tmp_path / "users.idx")
    alice = asyncio.run(directory.account(AccountId("alice@example.org")))
    bob = asyncio.run(directory.account(AccountId("bob@example.org")))
    assert alice is not None and bob is not None
    assert (alice.part(Sample).sample_score, alice.domain_part(Sample).sample_score) == (4.5, 7.0)
    assert (bob.part(Sample).sample_score, bob.domain_part(Sample).sample_score) == (None, 7.0)
    entry = asyncio.run(editor.entry(Kind.USER, "example.org", "alice"))
    assert entry is not None and entry.values["sample-score"] == "4.5"
    directory.close()
    editor.close()


@pytest.mark.parametrize("value", ["-1", "101", "much"])
def test_its_bounds_hold(tmp_path: Path, value: str) -> None:
    editor = opened(tmp_path)
    with pytest.raises(ConfigError):
        editor.edit([put(Kind.USER, "example.org", "alice", sample_score=value)])
    editor.close()


def test_a_file_with_a_wrong_value_is_refused_with_its_line(tmp_path: Path) -> None:
    text = FILE.replace("<quota>5G</quota>", "<sample-score>x</sample-score>")
    (tmp_path / "users.cfg").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match="'x' is not a number") as told:
        opened(tmp_path)
    assert told.value.faults[0].line == 1 + text[: text.index("<sample-score>")].count("\n")


@pytest.mark.parametrize("killed", [False, True])
def test_in_a_large_file_it_is_as_durable_as_any_other(tmp_path: Path, killed: bool) -> None:
    """Acknowledged in the journal, in the file a moment later, also after a process that died."""
    (tmp_path / "users.cfg").write_text(FILE, encoding="utf-8")
    editor = DirectoryFile(
        tmp_path / "users.cfg", tmp_path / "users.idx", records=RECORDS, pool=InlinePool(), journal_from=0,
        write_after=3600,
    )  # fmt: skip
    editor.open()
    editor.edit([put(Kind.USER, "example.org", "alice", sample_score="4.5", sample_report="bob")])
    assert "sample-score" not in (tmp_path / "users.cfg").read_text()
    if killed:
        editor._ledger._pending.clear()
    editor.close()
    again = opened(tmp_path)
    again.close()
    text = (tmp_path / "users.cfg").read_text()
    assert "<sample-score>4.5</sample-score>" in text and 'version="1.1"' in text
