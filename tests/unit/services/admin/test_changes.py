"""What was changed can be listed from the config log, and undone while it still stands: all of it or nothing."""

import re
import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import InlinePool, MemoryLog
from tests.unit.services.admin.office import Office, ask
from whimbrel.backends.logs.record import RecordForm
from whimbrel.backends.logs.tail import LogReader
from whimbrel.core.address import Domain
from whimbrel.core.rights import Grants
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.changes.audit import note_edits
from whimbrel.services.admin.changes.change_state import JUST_MADE
from whimbrel.services.admin.context import Caller


class WrittenLog(MemoryLog):
    """Writes lines into files as the server does, at once."""

    def __init__(self, folder: Path, clock: Any) -> None:
        super().__init__()
        self._folder, self._clock, self._form = folder, clock, RecordForm()
        folder.mkdir(exist_ok=True)

    def _add(self, level: str, event: str, fields: Any) -> None:
        super()._add(level, event, fields)
        log, line = self._form.line(self._clock.now(), level, event, fields)
        with (self._folder / f"{log}.log").open("a") as file:
            file.write(f"{line}\n")


class House:
    """An office whose logs are real files."""

    def __init__(self, folder: Path) -> None:
        self.office = Office(folder / "office")
        self.office.clock.time = float(int(time.time()))
        self.office.log = WrittenLog(folder / "logs", self.office.clock)
        self.folder = folder / "logs"
        self.logs = LogReader(self.folder, InlinePool())

    def do(self, call: str, caller: Caller | None = None, /, **arguments: Any) -> Any:
        """Meanwhile what was done before has reached the log."""
        self.office.clock.time += JUST_MADE
        more: dict[str, Any] = {"caller": caller} if caller else {}
        return self.office.do(call, {"logs": self.logs, **more}, **arguments)

    def refused(self, call: str, caller: Caller | None = None, /, **arguments: Any) -> CallError:
        with pytest.raises(CallError) as caught:
            self.do(call, caller, **arguments)
        return caught.value

    def rows(self, caller: Caller | None = None, /, **arguments: Any) -> list[Any]:
        return list(self.do("change list", caller, **arguments).items)

    def newest(self) -> str:
        return str(self.rows(limit=1)[0].id)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def administrator(grant: str, name: str = "eve@example.org") -> Caller:
    return Caller(name, Grants.of("none", (grant,), Domain("example.org")), name, "192.0.2.7")


def test_all_that_one_call_changed_has_one_id_and_tells_who_and_where(house: House) -> None:
    house.do("user set", administrator("accounts"), name="alice@example.org", full_name="Alice B.", quota="2G")
    rows = house.rows()
    assert [(row.kind, row.action, row.subject, row.field, row.old, row.new) for row in rows] == [
        ("user", "changed", "alice@example.org", "quota", "0", "2G"),
        ("user", "changed", "alice@example.org", "full-name", "Alice Adams", "Alice B."),
    ]
    assert {(row.id, row.user, row.origin, row.can_undo) for row in rows} == {
        (rows[0].id, "eve@example.org", "192.0.2.7", True)
    }
    view = house.do("change show", id=rows[0].id)
    assert (view.call, view.can_undo, [value.now for value in view.values]) == ("user set", True, ["Alice B.", "2G"])


def test_the_list_is_filtered_and_goes_on_where_it_ended(house: House) -> None:
    for number in range(7):
        house.do("config set", path="smtp/max-message-size", value=[f"{60 + number}M"])
        house.do("user set", administrator("accounts"), name="alice@example.org", full_name=f"Alice {number}")
        house.do("log rotate", log=["mail"])
    house.do("config set", path="smtp/max-recipients", value=["177"])
    house.do("domain set", name="other.test", description="Others")
    assert len(house.rows(setting="smtp/max-message-size")) == 7 and len(house.rows(setting="smtp")) == 8
    assert {row.subject for row in house.rows(record="ALICE@example.org")} == {"alice@example.org"}
    assert [row.new for row in house.rows(record="other.test")] == ["Others"]
    assert len(house.rows(record="example.org")) == 7
    assert {row.kind for row in house.rows(user="Eve@example.org")} == {"user"}
    assert [row.new for row in house.rows(text="NEW: alice 3")] == ["Alice 3"]
    assert house.rows(until="1h") == [] and len(house.rows(since="1h")) == 16
    whole, after, pages = [], "", 0
    while pages == 0 or after:
        page = house.do("change list", limit=3, after=after)
        assert len(page.items) <= 3
        whole, after, pages = [*whole, *page.items], page.more, pages + 1
    assert whole == house.rows() and len(whole) == 16
    assert house.refused("change list", after="nonsense").kind is Failure.USAGE


def test_a_page_ends_though_what_is_wanted_is_rare(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("whimbrel.services.admin.changes.change_list.PIECE", 2)
    monkeypatch.setattr("whimbrel.services.admin.changes.change_list.PIECES", 3)
    house.do("config set", path="smtp/max-recipients", value=["177"])
    for _ in range(4):
        house.do("log rotate", log=["mail"])
    house.do("config set", path="smtp/max-recipients", value=["178"])
    for _ in range(10):
        house.do("log rotate", log=["mail"])
    page = house.do("change list")
    assert (page.items, len(house.office.warnings)) == ((), 1) and page.more
    values = []
    while page.more:
        page = house.do("change list", after=page.more)
        values += [row.new for row in page.items]
    assert values == ["178", "177"]


def test_an_undone_change_is_a_change_that_can_be_undone(house: House) -> None:
    house.do("user set", name="alice@example.org", full_name="Bob", forward_to=["x@remote.test", "y@remote.test"])
    id = house.newest()
    house.do("user set", name="alice@example.org", quota="3G")
    before = house.office.users
    answer = house.do("change undo", id=id)
    assert "full-name is Alice Adams" in answer.text
    user = house.do("user show", name="alice@example.org")
    assert (user.full_name, user.forward_to, user.quota) == ("Alice Adams", (), 3 << 30)
    again = house.newest()
    assert again != id and again in answer.text
    house.do("change undo", id=again)
    assert house.office.users == before


def test_settings_come_back_to_what_they_were_or_to_their_default(house: House) -> None:
    house.do("config set", path="smtp/max-recipients", value=["150"])
    house.do("config set", path="smtp/max-recipients=160", value=["smtp/max-message-size=80M"])
    house.do("change undo", id=house.newest())
    values = {path: house.do("config describe", path=path) for path in ("smtp/max-recipients", "smtp/max-message-size")}
    assert values["smtp/max-recipients"].value == "150" and values["smtp/max-message-size"].is_default
    house.do("config set", path="relay/allow-from", value=["192.0.2.0/24", "198.51.100.0/24"])
    house.do("config set", path="relay/allow-from", value=["192.0.2.0/24"])
    house.do("change undo", id=house.newest())
    assert house.do("config get", path="relay/allow-from").value == ("192.0.2.0/24", "198.51.100.0/24")


def test_what_was_changed_again_is_not_undone_and_nothing_else_of_that_change_is(house: House) -> None:
    house.do("user set", name="alice@example.org", full_name="Bob", quota="2G")
    id = house.newest()
    house.do("user set", name="alice@example.org", quota="5G")
    error = house.refused("change undo", id=id)
    assert error.kind is Failure.REFUSED and "'5G' by now" in error.text
    assert [fault.name for fault in error.fields] == ["alice@example.org quota"]
    assert house.do("user show", name="alice@example.org").full_name == "Bob"
    house.do("user set", name="alice@example.org", quota="0", full_name="Alice Adams")
    assert "old value already" in house.refused("change undo", id=id).text


def test_a_dry_run_changes_nothing(house: House) -> None:
    house.do("user set", name="alice@example.org", full_name="Bob")
    house.do("config set", path="smtp/max-recipients", value=["150"])
    ids, users, settings = [row.id for row in house.rows()], house.office.users, house.office.settings
    for id in ids:
        answer = house.office.do("change undo", {"logs": house.logs, "dry_run": True}, id=id)
        assert answer.text.startswith("Checked only")
    assert (house.office.users, house.office.settings, len(house.rows())) == (users, settings, 2)


def test_what_came_or_went_as_a_whole_names_the_call_that_undoes_it(house: House) -> None:
    house.do("alias add", name="info@example.org", to=["alice"])
    assert "`whimbrel alias remove info@example.org`" in house.refused("change undo", id=house.newest()).text
    house.do("alias remove", name="info@example.org")
    assert "`whimbrel alias add info@example.org`" in house.refused("change undo", id=house.newest()).text
    house.do("user remove", name="alice@example.org")
    row = house.rows(limit=1)[0]
    assert (row.action, row.can_undo) == ("removed", False) and "Alice Adams" in row.old
    assert "`whimbrel user removed-restore alice@example.org`" in house.refused("change undo", id=row.id).text


def test_an_entry_of_a_list_of_settings_is_told_with_its_values(house: House) -> None:
    house.do("config set", path="delivery/route[example.net]/host", value=["relay.example.net"])
    row = house.rows(limit=1)[0]
    assert (row.action, row.old, row.new) == ("added", "", "relay.example.net")
    assert "config unset 'delivery/route[example.net]'" in house.refused("change undo", id=row.id).text
    house.do("config set", path="delivery/route[example.net]/host", value=["other.example.net"])
    house.do("change undo", id=house.newest())
    assert house.do("config get", path="delivery/route[example.net]/host").value == "relay.example.net"
    house.do("config unset", path=["delivery/route[example.net]"])
    row = house.rows(limit=1)[0]
    assert (row.action, row.old, row.can_undo) == ("removed", "relay.example.net", False)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("description", "x" * 600),
        ("description", "Note: call, New: something, Change: c00000000-00000000"),
        ("forward_to", ['"a, b"@remote.test', "c@remote.test"]),
    ],
)
def test_what_the_log_does_not_have_whole_is_not_guessed(house: House, field: str, value: Any) -> None:
    house.do("user set", name="alice@example.org", **{field: value})
    id = house.newest()
    house.do("user set", name="alice@example.org", **{field: "" if isinstance(value, str) else [""]})
    for each in (house.newest(), id):
        assert not house.do("change show", id=each).can_undo
    text = house.refused("change undo", id=house.newest()).text
    assert "not all of its old value" in text and "config undo --file users.cfg --version" in text


def test_a_secret_is_not_undone_and_says_what_can_be_done(house: House) -> None:
    house.do("config set", path="delivery/relay-password", secret="hunter2 hunter2")
    text = house.refused("change undo", id=house.newest()).text
    assert "secret" in text and "config undo --file mailserver.cfg --version" in text
    house.do("user password", name="alice@example.org", password="hunter2 hunter2")
    assert "secret" in house.refused("change undo", id=house.newest()).text


def test_a_change_of_more_records_than_the_log_names_is_not_undone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("whimbrel.services.admin.changes.audit.NAMED", 1)
    house.do("group add", name="staff@example.org", member=["bob@other.test"])
    house.do("user rename", name="bob@other.test", new="robert@other.test")
    rows = house.rows(limit=2)
    assert ("records", "2 more") in {(row.kind, row.subject) for row in rows}
    text = house.refused("change undo", id=rows[0].id).text
    assert "2 more" in text and "user rename" in text


def test_who_administers_domains_sees_and_undoes_what_concerns_them(house: House) -> None:
    eve = administrator("accounts other.test")
    house.do("config set", path="smtp/max-recipients", value=["150"])
    setting = house.newest()
    house.do("user set", name="alice@example.org", full_name="Bob")
    foreign = house.newest()
    house.do("domain set", name="other.test", description="Others")
    domain = house.newest()
    house.do("user set", name="bob@other.test", full_name="Bob")
    own = house.newest()
    assert [row.id for row in house.rows(eve)] == [own]
    for id in (setting, foreign, domain):
        assert house.refused("change show", eve, id=id).kind is Failure.NOT_FOUND
        assert house.refused("change undo", eve, id=id).kind is Failure.NOT_FOUND
    assert {row.id for row in house.rows(administrator("domain other.test"))} == {own, domain}
    error = house.refused("change undo", administrator("domain other.test"), id=domain)
    assert "server-write" in error.text
    house.do("change undo", eve, id=own)
    assert house.do("user show", name="bob@other.test").full_name == ""
    assert house.refused("change list", administrator("mail-read")).kind is Failure.FORBIDDEN


def test_nobody_gets_rights_by_undoing(house: House) -> None:
    house.do("user rights", name="alice@example.org", rights="server-write")
    house.do("user set", name="alice@example.org", full_name="Mighty")
    mighty = house.newest()
    eve = administrator("domain example.org")
    assert house.refused("change undo", eve, id=mighty).kind is Failure.FORBIDDEN
    house.do("user rights", name="alice@example.org", rights="none")
    assert "server-write" in house.refused("change undo", eve, id=house.newest()).text
    reader = Caller("eve@example.org", Grants.of("server-read"), "eve@example.org")
    assert len(house.rows(reader)) == 3
    assert house.refused("change undo", reader, id=mighty).kind is Failure.FORBIDDEN


def test_a_change_that_concerns_others_too_is_shown_in_part_and_not_undone(house: House) -> None:
    house.do("group add", name="staff@example.org", member=["bob@other.test"])
    house.do("group add", name="team@other.test", member=["bob@other.test", "alice@example.org"])
    house.do("group set", name="staff@example.org", member=["bob@other.test", "x@example.org"])
    house.do("user remove", name="bob@other.test", everywhere=True)
    id, eve = house.newest(), administrator("accounts other.test")
    view = house.do("change show", eve, id=id)
    assert {value.subject for value in view.values} == {"bob@other.test", "team@other.test"}
    assert not view.can_undo
    assert house.refused("change undo", eve, id=id).kind is Failure.FORBIDDEN


def test_words_are_asked_for_again_where_undoing_is_dangerous(house: House) -> None:
    error = house.refused("config set", path="relay/allow-from", value=["0.0.0.0/0"])
    assert error.confirm
    house.office.do(
        "config set", {"logs": house.logs, "confirmed": error.confirm}, path="relay/allow-from", value=["0.0.0.0/0"]
    )
    house.do("change undo", id=house.newest())
    again = house.newest()
    assert house.refused("change undo", id=again).confirm == error.confirm
    house.office.do("change undo", {"logs": house.logs, "confirmed": error.confirm}, id=again)
    assert house.do("config get", path="relay/allow-from").value == ("0.0.0.0/0",)


def test_a_line_without_an_id_and_an_id_without_lines(house: House) -> None:
    house.office.log.info("config.changed", setting="smtp/max-recipients", old="100", new="50", user="local")
    row = house.rows()[0]
    assert (row.id, row.can_undo) == ("", False)
    assert house.refused("change undo", id="q1").kind is Failure.USAGE
    error = house.refused("change show", id="c00000001-00000000")
    assert error.kind is Failure.NOT_FOUND and "reaches back to" in error.text


def test_an_answer_over_http_has_the_id_of_what_it_changed(tmp_path: Path) -> None:
    house = House(tmp_path)
    context = lambda: house.office.context(logs=house.logs)  # noqa: E731
    answer = ask(context, "/api/admin/user/set", {"name": "alice@example.org", "full_name": "Bob"})
    assert answer.json["change"] == house.newest()
    assert ask(context, "/api/admin/user/show", {"name": "alice@example.org"}).json["change"] == ""
    assert ask(context, "/api/admin/change/undo", {"id": house.newest()}, match='"0123"').status == 412


def test_a_change_that_was_just_made_is_undone_as_a_whole(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its lines reach the log a moment later, and not all at once."""
    house.do("user set", name="alice@example.org", full_name="Bob", quota="2G")
    file = house.folder / "config.log"
    *before, name, quota, call = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*before, name]))

    async def sleep(seconds: float) -> None:
        with file.open("a") as log:
            log.write(quota + call)

    monkeypatch.setattr("asyncio.sleep", sleep)
    id = house.office.log.named("config.value")[-1]["change"]
    house.office.do("change undo", {"logs": house.logs}, id=id)
    monkeypatch.undo()
    user = house.do("user show", name="alice@example.org")
    assert (user.full_name, user.quota) == ("Alice Adams", 0)


def rows_of(house: House, id: str) -> set[tuple[str, ...]]:
    return {
        (row.action, row.kind, row.subject, row.field, row.old, row.new)
        for row in house.rows(limit=50)
        if row.id == id and row.action == "changed"
    }


def in_use(house: House) -> dict[str, Any]:
    """What a running server holds, whatever becomes of the files."""
    ctx = house.office.context()
    return {
        "config": ctx.config, "editor": ctx.editor, "directory": ctx.directory, "files": ctx.files, "logs": house.logs
    }  # fmt: skip


ADMIN = Caller("root", origin="here")


def test_an_edit_by_hand_that_is_taken_into_use_leaves_its_lines(house: House) -> None:
    held = in_use(house)
    users = house.office.folder / "users.cfg"
    text = users.read_text().replace("Alice Adams", "Alice Root").replace('name="bob"', 'name="carl"')
    users.write_text(text.replace("</full-name>", "</full-name><rights>server-write</rights>", 1))
    file = house.office.folder / "mailserver.cfg"
    file.write_text("<mailserver><smtp><max-recipients>177</max-recipients></smtp></mailserver>")
    house.office.clock.time += JUST_MADE
    answer = house.office.do("config reload", {**held, "caller": ADMIN})
    assert "user alice@example.org changed" in answer.text and "user bob@other.test removed" in answer.text
    rows = house.rows(limit=20)
    assert rows_of(house, rows[0].id) == {
        ("changed", "setting", "smtp/max-recipients", "", "1000", "177"),
        ("changed", "user", "alice@example.org", "full-name", "Alice Adams", "Alice Root"),
        ("changed", "user", "alice@example.org", "rights", "none", "server-write"),
    }
    mine = [row for row in rows if row.id == rows[0].id]
    assert {(row.user, row.origin) for row in mine} == {("root", "here")}
    assert {(row.action, row.subject) for row in mine if row.action != "changed"} == {
        ("added", "carl@other.test"), ("removed", "bob@other.test")
    }  # fmt: skip


@pytest.mark.parametrize("file", ["users.cfg", "mailserver.cfg"])
def test_a_former_version_that_is_brought_back_leaves_its_lines(house: House, file: str) -> None:
    house.do("config set", path="smtp/max-recipients", value=["177"])
    house.do("config set", path="smtp/max-recipients", value=["178"])
    house.do("user set", name="alice@example.org", full_name="Alice B.", quota="2G")
    done = house.do("config undo", ADMIN, file=file)
    rows = [row for row in house.rows(limit=20) if row.user == "root"]
    told = {(row.subject, row.field, row.old, row.new) for row in rows}
    if file == "users.cfg":
        assert told == {
            ("alice@example.org", "full-name", "Alice B.", "Alice Adams"),
            ("alice@example.org", "quota", "2G", "0"),
        }
        assert "user alice@example.org changed" in done.text
    else:
        assert told == {("smtp/max-recipients", "", "178", "177")}
    house.do("config undo", ADMIN, file=file)  # A second undo is a redo.
    ctx = house.office.context()
    assert ctx.config.get("smtp/max-recipients") == "178" and "Alice B." in house.office.users


def test_a_secret_in_an_edit_is_told_of_and_not_shown(house: House) -> None:
    held = in_use(house)
    users = house.office.folder / "users.cfg"
    users.write_text(
        re.sub(r"<password>[^<]*</password>", "<password>$6$abcdefgh$" + "o" * 86 + "</password>", users.read_text())
    )
    house.office.do("config reload", {**held, "caller": ADMIN})
    rows = [row for row in house.rows(limit=20) if row.user == "root"]
    assert [(row.field, row.old, row.new) for row in rows] == [("password", "********", "********")]
    assert "oooo" not in str(rows)


def test_an_edit_while_no_server_ran_is_told_of_at_the_start(house: House) -> None:
    house.do("config set", path="smtp/max-recipients", value=["177"])
    file, users = house.office.folder / "mailserver.cfg", house.office.folder / "users.cfg"
    file.write_text(file.read_text().replace("177", "179"))
    users.write_text(users.read_text().replace("Alice Adams", "Alice Root"))
    ctx = house.office.context(caller=Caller("x"))
    note_edits(ctx, ctx.config.edited_before(), ctx.editor.taken())
    rows = [row for row in house.rows(limit=20) if row.user == "edit by hand"]
    assert {(row.subject, row.old, row.new) for row in rows} == {
        ("smtp/max-recipients", "177", "179"), ("alice@example.org", "Alice Adams", "Alice Root")
    }  # fmt: skip
    again = house.office.context()
    assert again.config.edited_before() == (frozenset(), ())
    assert again.editor.taken().count == 0
    # What stood there before the edit is a former version.
    assert house.office.do("config undo").text.startswith("mailserver.cfg is again")
    assert house.office.context().config.get("smtp/max-recipients") == "177"
    house.office.do("config undo", file="users.cfg")
    assert "Alice Adams" in house.office.users


def test_who_comes_or_goes_by_a_former_version_is_told_where_the_mail_is(house: House) -> None:
    house.do("user add", name="zed@example.org")
    house.do("config undo", ADMIN, file="users.cfg")
    assert "The mail of zed@example.org stays in the store" in house.office.warnings[-1]
    house.do("user remove", name="alice@example.org")
    house.do("config undo", ADMIN, file="users.cfg")
    assert "Mail of a removed user alice@example.org is kept" in house.office.warnings[-1]


def test_where_a_server_administrator_sits_is_not_shown_to_a_domain_administrator_nor_found_by_it(house: House) -> None:
    root = Caller("root@example.org", Grants.of("server-write"), "root@example.org", "198.51.100.9")
    house.do("user add", root, name="root@example.org", rights="server-write")
    house.do("user add", root, name="fay@example.org")
    house.do("user set", root, name="alice@example.org", full_name="Alice A.")
    house.do("user set", administrator("accounts", "fay@example.org"), name="alice@example.org", full_name="Alice B.")
    house.do("user set", administrator("accounts"), name="alice@example.org", full_name="Alice C.")
    by_fay, by_root = house.rows(record="alice@example.org")[1:3]
    assert (by_fay.origin, by_root.origin) == ("192.0.2.7", "198.51.100.9")  # To who sees the server.
    eve = administrator("accounts")
    mine, by_fay, by_root = house.rows(eve, record="alice@example.org")[:3]
    assert (mine.origin, by_fay.origin, by_root.origin) == ("192.0.2.7", "192.0.2.7", "")
    assert by_root.user == "root@example.org" and by_root.new == "Alice A."
    assert house.do("change show", eve, id=by_root.id).origin == ""
    assert house.rows(eve, text="198.51.100") == [] != house.rows(text="198.51.100")
    assert [row.new for row in house.rows(eve, text="alice a.") if row.kind == "user"][-1:] == ["Alice A."]
