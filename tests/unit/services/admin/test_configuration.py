"""Settings by calls; edits made outside; former versions."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office
from whimbrel.services.admin.calls import CallError, Failure


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def refused(office: Office, call: str, /, **arguments: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, **arguments)
    return caught.value


def test_a_setting_is_set_and_unset(office: Office) -> None:
    changed = office.do("config set", path="smtp/max-message-size", value=["80M"])
    assert changed.paths == ("smtp/max-message-size",)
    assert office.do("config get", path="smtp/max-message-size").value == "80M"
    office.do("config unset", path=["smtp/max-message-size"])
    assert office.do("config get", path="smtp/max-message-size").value == "50M"


def test_what_waits_for_a_restart_is_named(office: Office) -> None:
    changed = office.do("config set", path="smtp/hostname", value=["mail.example.org"])
    assert changed.restart == ("smtp/hostname",)
    assert "Restart the server for smtp/hostname" in changed.text


def test_nobody_shuts_the_console_to_where_he_sits(office: Office) -> None:
    """By the setting, or by a group that it names; at the server's own machine it can be done."""

    def from_(ip: str) -> dict[str, Any]:
        return {"caller": replace(office.context().caller, origin=ip)}

    path = "services/console/allow-from"
    with pytest.raises(CallError, match=r"192\.0\.2\.9, which would not reach"):
        office.do("config set", from_("192.0.2.9"), path=path, value=["198.51.100.0/24"])
    assert office.do("config get", path=path).value == ()
    office.do("ip-group add", from_("192.0.2.9"), name="office", members=["192.0.2.0/28"])
    office.do("config set", from_("192.0.2.9"), path=path, value=["office"])
    with pytest.raises(CallError, match="would not reach"):
        office.do("ip-group set", from_("192.0.2.9"), name="office", members=["192.0.2.0/30"])
    with pytest.raises(CallError, match="would not reach"):
        office.do("config set", from_("::ffff:198.51.100.1"), path=path, value=["192.0.2.9"])
    office.do("ip-group set", from_("local user root, process 1"), name="office", members=["192.0.2.0/30"])
    office.do("config unset", from_("192.0.2.9"), path=[path])
    assert office.do("config get", path=path).value == ()


def test_a_list_takes_several_values(office: Office) -> None:
    office.do("config set", path="services/imap/listen", value=["127.0.0.1:143", "[::1]:143"])
    assert office.do("config get", path="services/imap/listen").value == ("127.0.0.1:143", "[::1]:143")
    assert refused(office, "config set", path="smtp/hostname", value=["a.test", "b.test"]).kind is Failure.USAGE
    assert refused(office, "config set", path="smtp/hostname").kind is Failure.USAGE


def test_a_secret_comes_by_its_own_way_and_is_never_shown(office: Office) -> None:
    assert "--secret-file" in refused(office, "config set", path="delivery/relay-password", value=["hunter2"]).text
    office.do("config set", path="delivery/relay-password", secret="hunter2")
    assert "hunter2" in office.settings
    shown = [
        office.do("config get", path="delivery/relay-password"),
        office.do("config describe", path="delivery/relay-password"),
        office.do("config list"),
        office.do("config export"),
    ]
    assert "hunter2" not in repr(shown)
    assert "hunter2" not in repr(office.log.records)
    # An entry that is yet to be made has the same way: nothing secret on a command line.
    entry = "servers/server[mx2]"
    assert "--secret-file" in refused(office, "config set", path=f"{entry}/token", value=["hunter2"]).text
    assert "--secret-file" in refused(office, "config set", path=f"{entry}/token=hunter2").text
    office.do("config set", path=f"{entry}/token", secret="hunter2")
    assert "hunter2" not in str(office.do("config get", path=f"{entry}/token"))
    assert "is not secret" in refused(office, "config set", path="smtp/hostname", secret="x").text


def test_an_unknown_setting_is_told_with_the_nearest_known_one(office: Office) -> None:
    for name, arguments in {
        "config get": {"path": "smtp/max-mesage-size"},
        "config set": {"path": "smtp/max-mesage-size", "value": ["1M"]},
        "config unset": {"path": ["smtp/max-mesage-size"]},
        "config describe": {"path": "smtp/max-mesage-size"},
        "config list": {"below": "smtp/max-mesage-size"},
    }.items():
        error = refused(office, name, **arguments)
        assert (error.kind, "did you mean 'smtp/max-message-size'?" in error.text) == (Failure.NOT_FOUND, True), name


def test_export_is_what_import_reads(office: Office) -> None:
    office.do("config set", path="smtp/max-message-size", value=["80M"])
    office.do("config set", path="services/imap/listen", value=["127.0.0.1:143", "[::1]:143"])
    text = office.do("config export").text
    office.do("config unset", path=["smtp/max-message-size", "services/imap/listen"])
    changed = office.do("config import", file=text)
    assert set(changed.paths) == {"smtp/max-message-size", "services/imap/listen"}
    assert office.do("config export").text == text


def test_an_import_is_taken_as_a_whole_or_not_at_all(office: Office) -> None:
    text = '"smtp/max-message-size" = "80M"\n"smtp/max-recipients" = 1\n"smtp/hostnam" = "x"\n'
    error = refused(office, "config import", file=text)
    assert {fault.name for fault in error.fields} == {"smtp/max-recipients", "smtp/hostnam"}
    assert office.settings == ""
    assert "not TOML" in refused(office, "config import", file="x = [").text
    assert "write a path in quotes" in refused(office, "config import", file="[smtp]\nhostname = 'x'").text


def test_list_and_search(office: Office) -> None:
    below = office.do("config list", below="smtp").items
    assert below
    assert all(row.path.startswith("smtp/") for row in below)
    assert office.do("config list", changed=True).items == ()
    office.do("config set", path="smtp/max-message-size", value=["80M"])
    assert [row.path for row in office.do("config list", changed=True).items] == ["smtp/max-message-size"]
    assert "smtp/max-message-size" in [row.path for row in office.do("config search", words=["largest", "SIZE"]).items]


def test_an_edit_made_outside_is_shown_taken_or_written_over(office: Office) -> None:
    office.do("config set", path="smtp/max-message-size", value=["80M"])
    ctx = office.context()
    path = office.folder / "mailserver.cfg"
    with_edit = path.read_text().replace("80M", "90M")
    path.write_text(with_edit)
    same = {name: getattr(ctx, name) for name in ("config", "editor", "files", "directory")}
    assert "+    <max-message-size>90M" in office.do("config diff", same).text
    with pytest.raises(CallError) as caught:
        office.do("config set", same, path="smtp/max-recipients", value=["200"])
    assert caught.value.kind is Failure.CONFLICT
    assert "config keep" in caught.value.text
    assert office.do("config check", same).changed_outside
    assert office.do("config reload", same).paths == ("smtp/max-message-size",)
    assert office.do("config get", same, path="smtp/max-message-size").value == "90M"
    path.write_text(with_edit.replace("90M", "70M"))
    assert "mailserver.cfg" in office.do("config keep", same).text
    assert "90M" in path.read_text()


def test_check_tells_every_fault_with_its_line(office: Office) -> None:
    office.do("config set", path="smtp/max-message-size", value=["80M"])
    ctx = office.context()
    path = office.folder / "mailserver.cfg"
    path.write_text(path.read_text().replace("80M", "much").replace("</smtp>", "<hostnam>x</hostnam></smtp>"))
    same = {name: getattr(ctx, name) for name in ("config", "editor", "files", "directory")}
    verdict = office.do("config check", same)
    assert [(problem.file, problem.path) for problem in verdict.problems] == [
        ("mailserver.cfg", "smtp/max-message-size"), ("mailserver.cfg", "smtp/hostnam"),
    ]  # fmt: skip
    assert all(problem.line for problem in verdict.problems)
    with pytest.raises(CallError):
        office.do("config reload", same)
    assert office.do("config get", same, path="smtp/max-message-size").value == "80M"


def test_undo_brings_back_the_former_version_and_can_be_undone(office: Office) -> None:
    for value in ("70M", "80M"):
        office.do("config set", path="smtp/max-message-size", value=[value])
    office.do("config undo")
    assert office.do("config get", path="smtp/max-message-size").value == "70M"
    office.do("config undo")
    assert office.do("config get", path="smtp/max-message-size").value == "80M"
    office.do("user remove", name="alice")
    assert "user alice@example.org" in office.do("config diff", file="users.cfg", version=_latest(office)).text
    office.do("config undo", file="users.cfg")
    assert office.do("user show", name="alice").full_name == "Alice Adams"
    assert refused(office, "config undo", version=999).kind is Failure.NOT_FOUND


def _latest(office: Office) -> int:
    return int(max(row.number for row in office.do("config history").items if row.file == "users.cfg"))


def test_changes_that_lie_aside_are_shown_until_they_are_deleted(office: Office) -> None:
    assert office.do("config diff").text == ""
    aside = office.folder / "history" / "users.cfg.changes.00000001"
    aside.write_text('{"op": "set", "kind": "user", "domain": "x.test", "name": "y", "values": {"quota": "1G"}}\n')
    assert '+set user y@x.test: quota: "1G"' in office.do("config diff").text
    aside.unlink()
    assert office.do("config diff").text == ""


def test_undo_passes_over_a_version_that_never_could_be_read(office: Office) -> None:
    """An edit that is malformed is put aside by `keep`: it must not be what undo brings back."""
    for value in ("70M", "80M"):
        office.do("config set", path="smtp/max-message-size", value=[value])
    ctx = office.context()
    same: dict[str, Any] = {name: getattr(ctx, name) for name in ("config", "editor", "files", "directory")}
    (office.folder / "mailserver.cfg").write_text("<mailserver><broken")
    office.do("config keep", same)
    warnings: list[str] = []
    office.do("config undo", same | {"warnings": warnings})
    assert office.do("config get", same, path="smtp/max-message-size").value == "70M"
    assert "cannot be read and was passed over" in warnings[0]
    with pytest.raises(CallError):
        office.do("config undo", same, version=office.do("config history", same).items[1].number)


def test_members_of_a_list_are_added_and_removed_one_by_one(office: Office) -> None:
    path = "relay/allow-from"
    office.do("config add", path=path, value=["192.0.2.0/24"])
    office.do("config add", path=path, value=["198.51.100.0/24", "192.0.2.0/24"])
    assert office.do("config get", path=path).value == ("192.0.2.0/24", "198.51.100.0/24")
    office.do("config remove", path=path, value=["192.0.2.0/24"])
    assert office.do("config get", path=path).value == ("198.51.100.0/24",)
    assert refused(office, "config remove", path=path, value=["192.0.2.0/24"]).kind is Failure.NOT_FOUND
    assert refused(office, "config add", path="smtp/hostname", value=["x"]).kind is Failure.USAGE
    assert refused(office, "config add", path=path).kind is Failure.USAGE


def test_a_long_path_is_no_riddle() -> None:
    """It was cut into steps in all ways there are, which took for ever; `config set` held up the whole server."""
    from whimbrel.services.admin.settings.configuration import _pair

    assert _pair("services/console/max-connections-per-host" * 40) is None
    assert _pair("services/console/max-connections-per-host=3") == ("services/console/max-connections-per-host", "3")
    assert _pair("tls/host[mail.example.org]/certificate=/a=b") == ("tls/host[mail.example.org]/certificate", "/a=b")
