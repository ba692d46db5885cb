"""What holds for every call: rights, arguments, refusals, records of what was done."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import CALLS, Office, ask, item
from whimbrel.core.address import Domain
from whimbrel.core.rights import EVERYTHING, NOTHING, Grants
from whimbrel.services.admin.calls import CallError, Failure, call
from whimbrel.services.admin.context import AdminContext, Caller
from whimbrel.services.admin.invoke import stream


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def refused(office: Office, call: str, context: dict[str, Any] | None = None, /, **arguments: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, context, **arguments)
    return caught.value


def test_an_unknown_parameter_is_told_with_the_nearest_known_one(office: Office) -> None:
    error = refused(office, "user set", name="alice", full_nam="x")
    assert error.kind is Failure.USAGE
    assert "did you mean 'full_name'?" in error.text
    assert error.fields[0].name == "full_nam"


def test_every_wrong_argument_is_told_at_once(office: Office) -> None:
    error = refused(office, "user add", name="x@example.org", quota="much", quota_messages="few")
    assert error.kind is Failure.USAGE
    assert {fault.name for fault in error.fields} == {"quota", "quota_messages"}
    assert "not a size: a whole number such as 50M" in error.text


def test_a_missing_argument_is_named(office: Office) -> None:
    assert refused(office, "alias add", name="x@example.org").text == "to: must be given"


@pytest.mark.parametrize(
    "text", ["a\nb", "a\rb", "a\x00b", "a\x1bb", "a\x7fb", "a\u0085b", "a\u2028b", "a\u2029b", "\ud800", "x" * 10_001]
)
def test_text_with_control_characters_or_line_breaks_is_refused_everywhere(office: Office, text: str) -> None:
    before = office.users
    for name, arguments in {
        "user set": {"name": "alice", "description": text},
        "user add": {"name": f"{text}@example.org"},
        "domain set": {"name": "other.test", "description": text},
        "alias add": {"name": "info@example.org", "to": ["alice", text]},
        "group add": {"name": "team@example.org", "description": text},
        "config set": {"path": "smtp/hostname", "value": [text]},
        "config get": {"path": text},
        "queue list": {"sender": text},
    }.items():
        assert refused(office, name, **arguments).kind in (Failure.USAGE, Failure.REFUSED), name
    assert office.users == before
    assert office.settings == ""


@pytest.mark.parametrize("name", ["../../etc/passwd", "..", "a/b", "a\\b", "<user>", "a b", "#x", "", "@", "a@b@c"])
def test_a_name_that_could_lead_elsewhere_on_disk_or_in_xml_is_refused(office: Office, name: str) -> None:
    before = office.users
    assert refused(office, "user add", name=f"{name}@example.org").kind in (Failure.USAGE, Failure.REFUSED)
    assert office.users == before


def test_markup_in_a_value_stays_text(office: Office) -> None:
    office.do("user set", name="alice", description='</user><user name="eve"/>&amp;<!--')
    assert office.do("user show", name="alice").description == '</user><user name="eve"/>&amp;<!--'
    assert [row.address for row in office.do("user list").items] == ["alice@example.org", "bob@other.test"]


def test_dry_run_checks_and_changes_nothing(office: Office) -> None:
    before, log = office.users, len(office.log.records)
    for name, arguments in {
        "domain add": {"name": "new.test"},
        "user add": {"name": "new@example.org", "password": "four words that fit"},
        "user remove": {"name": "alice"},
        "alias add": {"name": "info@example.org", "to": ["alice"]},
        "config set": {"path": "smtp/max-message-size", "value": ["80M"]},
        "config unset": {"path": ["smtp/max-message-size"]},
        "domain rename": {"name": "other.test", "new": "new.test"},
    }.items():
        context: dict[str, Any] = {"dry_run": True, "rename_domain": office.do, "live": False}
        assert "Checked only" in office.do(name, context, **arguments).text or name == "config unset", name
    assert (office.users, office.settings, len(office.log.records)) == (before, "", log)
    assert refused(office, "user add", {"dry_run": True}, name="alice@example.org").kind is Failure.REFUSED


def eve(*grants: str, domain: str = "other.test") -> Caller:
    own = Domain(domain)
    return Caller(f"eve@{domain}", Grants.of("none", grants, own), f"eve@{domain}", "192.0.2.1")


def test_rights_decide_who_may_call_what(office: Office) -> None:
    def may(grants: tuple[str, ...], name: str) -> bool:
        arguments: dict[str, Any] = {
            "user list": {},
            "user set": {"name": "bob@other.test", "description": "x"},
            "config list": {},
            "config set": {"path": "smtp/max-message-size", "value": ["80M"]},
            "domain add": {"name": "n.test"},
        }[name]
        try:
            office.do(name, {"caller": eve(*grants), "dry_run": True}, **arguments)
        except CallError as error:
            assert error.kind is Failure.FORBIDDEN
            return False
        return True

    names = ("user list", "user set", "config list", "config set", "domain add")
    table = {
        (): [False] * 5,
        ("accounts",): [True, True, False, False, False],
        ("domain",): [True, True, False, False, False],
        ("mail-read",): [False] * 5,
        ("server-read",): [True, False, True, False, False],
        ("server-write",): [True] * 5,
    }
    assert {grants: [may(grants, name) for name in names] for grants in table} == table


def test_everybody_may_do_what_concerns_oneself_and_no_more(office: Office) -> None:
    caller = Caller("bob@other.test", NOTHING, "bob@other.test", "192.0.2.1")
    as_bob = {"caller": caller}
    office.do("user set", as_bob, name="bob@other.test", forward_to=["bob@x.test"], keep_copy=False)
    office.do("user password", as_bob, name="Bob@other.test", password="new password")
    assert office.do("user show", as_bob, name="bob@other.test").forward_to == ("bob@x.test",)
    for name, arguments in {
        "user set": {"name": "bob@other.test", "quota": "9G"},
        "user password": {"name": "alice@example.org", "password": "four words that fit"},
        "user show": {"name": "alice@example.org"},
        "user rights": {"name": "bob@other.test", "rights": "server-write"},
        "user list": {},
        "user remove": {"name": "bob@other.test"},
    }.items():
        assert refused(office, name, as_bob, **arguments).kind is Failure.FORBIDDEN, name


def test_whose_mail_is_shown_to_whom_stands_in_the_security_log(office: Office) -> None:
    office.queue.items.append(item(1))
    office.queue.contents["q1"] = b"Subject: x\r\n\r\nsecret\r\n"

    def source(caller: Caller) -> list[Any]:
        async def work() -> list[Any]:
            return [line async for line in stream(CALLS["queue source"], office.context(caller=caller), {"id": "q1"})]

        return asyncio.run(work())

    for grants in (("server-write",), ("server-read",), ("domain", "mail-read")):
        with pytest.raises(CallError) as caught:
            source(eve(*grants))
        assert caught.value.kind is Failure.FORBIDDEN
    assert not office.log.named("admin.mail-shown")
    assert source(eve("server-read", "mail-read"))[-1] == "secret"
    (record,) = office.log.named("admin.mail-shown")
    assert (record["user"], record["origin"]) == ("eve@other.test", "192.0.2.1")
    assert "bob@remote.test" in record["account"] and "alice@example.org" in record["account"]


def test_a_change_of_another_version_than_was_seen_is_refused(office: Office) -> None:
    def described() -> Any:
        return ask(office.context, "/api/admin/config/describe", {"path": "smtp/max-message-size"})

    seen = described().json["version"]
    change = {"path": "smtp/max-message-size", "value": ["80M"]}
    assert ask(office.context, "/api/admin/config/set", change, match=f'"{seen}"').status == 200
    assert described().json["version"] != seen
    answer = ask(office.context, "/api/admin/config/set", change, match=f'"{seen}"')
    assert (answer.status, answer.json["error"]["kind"]) == (412, "stale")
    assert ask(office.context, "/api/admin/config/set", change, match="*").status == 200
    assert ask(office.context, "/api/admin/config/set", change, match="x").status == 400
    seen = ask(office.context, "/api/admin/user/show?name=alice", method="GET").json["version"]
    for name in ("alice", "ALICE@example.org"):  # However it is called, it is one record.
        assert ask(office.context, "/api/admin/user/show", {"name": name}).json["version"] == seen
    first = ask(office.context, "/api/admin/user/set", {"name": "alice", "quota": "1G"}, match=f'"{seen}"')
    assert first.status == 200 and first.json["version"] != seen
    for path, change in (("user/set", {"quota": "2G"}), ("user/remove", {}), ("user/disable", {})):
        answer = ask(office.context, f"/api/admin/{path}", {"name": "alice", **change}, match=f'"{seen}"')
        assert answer.status == 412, path
    current = first.json["version"]
    assert ask(office.context, "/api/admin/user/remove", {"name": "alice"}, match=f'"{current}"').json["version"] == ""
    # Where nothing is compared, nobody shall believe that it was.
    assert ask(office.context, "/api/admin/domain/add", {"name": "n.test"}, match=f'"{seen}"').status == 400


def test_an_administrator_of_a_domain_stays_within_it_and_gains_nothing(office: Office) -> None:
    office.do("user rights", name="bob@other.test", rights="server-write")
    caller = {"caller": eve("accounts")}
    assert [row.address for row in office.do("user list", caller).items] == ["bob@other.test"]
    for name, arguments in {
        "user show": {"name": "alice@example.org"},
        "user list": {"domain": "example.org"},
        "user add": {"name": "x@example.org"},
        "alias add": {"name": "x@example.org", "to": ["x"]},
        "user rights": {"name": "eve@other.test", "rights": "server-write"},
    }.items():
        assert refused(office, name, caller, **arguments).kind is Failure.FORBIDDEN, name
    assert refused(office, "user add", caller, name="x@other.test", rights="domain").kind is Failure.FORBIDDEN
    assert (
        refused(office, "user password", caller, name="bob@other.test", password="four words that fit").kind
        is Failure.FORBIDDEN
    )
    assert refused(office, "user remove", caller, name="bob@other.test").kind is Failure.FORBIDDEN
    table = "address,password,name,rights,quota\nz@other.test,,,server-write,\n"
    assert "gives it" in refused(office, "user import", caller, file=table).text


def test_what_changes_something_is_recorded_without_its_values(office: Office) -> None:
    office.do("user password", name="alice", password="hunter2-hunter2")
    record = office.log.named("admin.call")[-1]
    assert record == {
        "call": "user password", "user": "local", "name": "alice", "fields": "", "origin": "",
        "change": record["change"],
    }  # fmt: skip
    assert "hunter2" not in repr(office.log.records)


def test_who_changed_what_from_where_and_from_what_to_what_stands_in_the_config_log(office: Office) -> None:
    admin = {"caller": Caller("eve@example.org", EVERYTHING, origin="192.0.2.1")}
    office.do("config set", admin, path="smtp/max-message-size", value=["80M"])
    assert office.log.named("config.changed")[-1] == {
        "setting": "smtp/max-message-size", "old": "50M", "new": "80M", "user": "eve@example.org",
        "origin": "192.0.2.1", "change": office.log.named("admin.call")[-1]["change"],
    }  # fmt: skip
    office.do("config set", admin, path="delivery/relay-password", secret="hunter2")
    office.do("user set", admin, name="alice", quota="2G")
    value = office.log.named("config.value")[-1]
    assert (value["record"], value["field"], value["old"], value["new"]) == (
        "user alice@example.org",
        "quota",
        "0",
        "2G",
    )
    office.do("user password", admin, name="alice", password="hunter2 hunter2")
    fields = {record["field"]: record["new"] for record in office.log.named("config.value")[1:]}
    assert fields["password"] == "********" and set(fields.values()) == {"********"}
    office.do("user remove", admin, name="alice")
    gone = office.log.named("config.record")[-1]
    assert (gone["action"], gone["record"]) == ("remove", "user alice@example.org")
    assert "full-name=Alice Adams" in gone["values"]
    told = repr(office.log.records)
    assert "hunter2" not in told and "argon2" not in told


def test_a_call_that_needs_a_server_says_so(office: Office) -> None:
    error = refused(office, "status", {"live": False})
    assert (error.kind.exit_status, error.kind) == (4, Failure.UNAVAILABLE)
    assert refused(office, "queue list", {"queue": None}).kind is Failure.UNAVAILABLE


def test_a_bug_is_logged_and_told_without_its_details(office: Office) -> None:
    class Broken:
        async def counts(self, now: float) -> None:
            raise RuntimeError("secret detail")

        select = get = counts

    error = refused(office, "queue show", {"queue": Broken()}, id="q1")
    assert error.kind is Failure.FAILED
    assert "secret detail" not in error.text
    assert office.log.named("admin.crashed")[0]["call"] == "queue show"


def test_each_kind_of_failure_has_the_exit_status_of_the_command_line() -> None:
    assert {kind.word: kind.exit_status for kind in Failure} == {
        "refused": 1, "forbidden": 1, "failed": 1, "usage": 2, "not_found": 3, "unavailable": 4, "conflict": 5,
        "stale": 5, "unauthorized": 1, "locked": 1, "reauthenticate": 1, "method": 2,
    }  # fmt: skip
    assert all(400 <= kind.http_status <= 599 for kind in Failure)
    assert CALLS


def test_no_parameter_is_called_like_an_option_that_every_command_has() -> None:
    @call("x", "y", help="X.")
    async def clash(ctx: AdminContext, wait: int = 1) -> None: ...

    with pytest.raises(TypeError, match="wait is an option of every command"):
        _ = clash.call.parameters  # type: ignore[attr-defined]
