"""Files of former releases load: what stood elsewhere is read at its new place and written there."""

import asyncio
from pathlib import Path

import pytest

from whimbrel.app.settings import MailServer
from whimbrel.backends.config.store import FileConfig
from whimbrel.core.config import ConfigError
from whimbrel.services.alerts.settings import AlertSettings

HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n<mailserver version="1.1">\n'


def loaded(folder: Path, text: str) -> FileConfig:
    path = folder / "mailserver.cfg"
    path.write_text(f"{HEAD}{text}</mailserver>\n", encoding="utf-8")
    config = FileConfig(path, MailServer)
    config.load()
    return config


def told(config: FileConfig) -> tuple[str, ...]:
    return config.section(AlertSettings).targets("disk-low").to


SPACE = "  <space>\n    <soft-limit>2G</soft-limit>\n    <notify>root@example.org</notify>\n  </space>\n"


@pytest.mark.parametrize(
    ("text", "to"),
    [
        (SPACE, ("root@example.org",)),
        ("<space><notify> </notify></space>", ()),
        ("<alerts><to>a@example.org</to></alerts>" + SPACE, ("a@example.org", "root@example.org")),
        ("<alerts><to>root@example.org</to></alerts>" + SPACE, ("root@example.org",)),
        (
            "<alerts><to>a@example.org</to><event name='disk-low'><to>b@example.org</to></event></alerts>" + SPACE,
            ("b@example.org", "root@example.org"),
        ),
        # Nobody was to be told by the alert, but by the setting.
        (
            "<alerts><to>a@example.org</to><event name='disk-low'><enabled>no</enabled></event></alerts>" + SPACE,
            ("root@example.org",),
        ),
        ("<alerts><event name='queue-old'><to>q@example.org</to></event></alerts>" + SPACE, ("root@example.org",)),
    ],
)
def test_who_was_told_of_low_space_is_told_by_the_alert(tmp_path: Path, text: str, to: tuple[str, ...]) -> None:
    assert told(loaded(tmp_path, text)) == to


def test_others_are_told_what_they_were_told_before(tmp_path: Path) -> None:
    config = loaded(tmp_path, "<alerts><to>a@example.org</to></alerts>" + SPACE)
    assert config.section(AlertSettings).targets("queue-old").to == ("a@example.org",)


def test_the_next_change_writes_the_new_place_alone_and_keeps_the_rest(tmp_path: Path) -> None:
    config = loaded(tmp_path, "  <!-- ours -->\n" + SPACE)
    asyncio.run(config.change({"smtp/hostname": "mx.example.org"}))
    text = (tmp_path / "mailserver.cfg").read_text(encoding="utf-8")
    assert "notify" not in text and "<!-- ours -->" in text and "<soft-limit>2G</soft-limit>" in text
    assert '<event name="disk-low">\n      <to>root@example.org</to>\n    </event>' in text
    again = FileConfig(tmp_path / "mailserver.cfg", MailServer)
    again.load()
    assert again.root == config.root and told(again) == ("root@example.org",)


def test_who_is_taken_out_stays_out(tmp_path: Path) -> None:
    config = loaded(tmp_path, SPACE)
    asyncio.run(config.change({"alerts/event[disk-low]": None}))
    config.load()
    assert told(config) == () and "root@example.org" not in (tmp_path / "mailserver.cfg").read_text(encoding="utf-8")


def test_loading_alone_writes_nothing(tmp_path: Path) -> None:
    config = loaded(tmp_path, SPACE)
    assert "<notify>root@example.org</notify>" in (tmp_path / "mailserver.cfg").read_text(encoding="utf-8")
    assert config.edited() == "" and config.difference() == ""


def test_what_is_no_value_is_complained_of_in_its_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "<space><notify><to>x</to></notify></space>\n")
    assert caught.value.faults[0].path == "space/notify"
    with pytest.raises(ConfigError) as caught:
        loaded(tmp_path, "\n\n<space><notify>x</notify></space><alerts><to>y</to></alerts>\n<smtp><nonsense/></smtp>\n")
    assert [(fault.line, fault.path) for fault in caught.value.faults] == [(6, "smtp/nonsense")]
