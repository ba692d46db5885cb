"""Settings as a console reads and changes them: whole parts, with versions, faults, conflicts and without secrets."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Answer, Office, ask
from whimbrel.app.settings import MailServer
from whimbrel.backends.config import paths
from whimbrel.services.admin.server.operations import Operations
from whimbrel.services.admin.settings.settings_schema import settings_schema, title

SETTINGS = "/api/admin/settings"


@pytest.fixture
def office(tmp_path: Path) -> Office:
    return Office(tmp_path / "office")


def patch(office: Office, values: object, where: str = "", **rest: Any) -> Answer:
    return ask(office.context, SETTINGS + where, values, method="PATCH", **rest)


def read(office: Office, where: str = "") -> Answer:
    return ask(office.context, SETTINGS + where, method="GET")


def test_a_section_is_read_in_the_types_of_json(office: Office) -> None:
    answer = read(office, "/smtp")
    values = answer.json["result"]["values"]
    assert values["smtp/max-message-size"] == {"value": "50M", "default": True, "secret": False, "shown": ""}
    assert values["smtp/max-recipients"]["value"] == 1000 and values["smtp/log-subject"]["value"] is False
    assert set(values) == {f"smtp/{name}" for name in ("hostname", "max-message-size", "max-recipients", "log-subject")}
    assert read(office, "/nonsense").status == 404
    everything = read(office).json["result"]["values"]
    assert set(values) < set(everything) and everything["services/imap/listen"]["value"] == ["*:143"]


def test_many_are_changed_in_one_change_and_the_whole_part_comes_back(office: Office) -> None:
    answer = patch(
        office, {"smtp/max-message-size": "80M", "smtp/log-subject": True, "smtp/max-recipients": 500}, "/smtp"
    )
    assert answer.status == 200
    assert set(answer.json["result"]["paths"]) == {"smtp/max-message-size", "smtp/log-subject", "smtp/max-recipients"}
    assert answer.json["result"]["values"]["smtp/max-message-size"] == {
        "value": "80M",
        "default": False,
        "secret": False,
        "shown": "",
    }
    assert "<max-message-size>80M</max-message-size>" in (office.folder / "mailserver.cfg").read_text()
    answer = patch(office, {"smtp/max-message-size": None}, "/smtp")
    assert answer.json["result"]["values"]["smtp/max-message-size"]["default"] is True


def test_what_is_saved_as_it_was_read_changes_no_byte(office: Office) -> None:
    """A person's remarks, an odd order and another spelling of the same value stay."""
    office.do("ip-group add", name="office", members=["192.0.2.0/28"])
    office.do("config set", path="relay/allow-from", value=["office"])
    file = office.folder / "mailserver.cfg"
    file.write_text(file.read_text().replace("<relay>", "<!-- ours -->\n  <relay>  <!-- Berlin -->"))
    before = file.read_bytes()
    for part in MailServer.elements():
        answer = read(office, f"/{part}")
        values = answer.json["result"]["values"]
        same = {path: each["value"] for path, each in values.items() if not each["secret"]}
        changed = patch(office, same, f"/{part}")
        assert (changed.status, changed.json["result"]["paths"]) == (200, []), part
    assert file.read_bytes() == before


def test_entries_of_lists_come_and_go(office: Office) -> None:
    path = "delivery/route[peer.test]"
    assert patch(office, {f"{path}/host": "mx.peer.test", f"{path}/port": 2525}).status == 200
    assert read(office, "/delivery").json["result"]["values"][f"{path}/port"]["value"] == 2525
    assert patch(office, {path: None}).status == 200
    assert f"{path}/port" not in read(office, "/delivery").json["result"]["values"]


def test_a_secret_is_set_and_never_shown(office: Office) -> None:
    answer = patch(office, {"delivery/relay-password": "hush-hush"}, "/delivery")
    assert answer.status == 200 and b"hush" not in answer.body
    shown = read(office, "/delivery")
    assert b"hush" not in shown.body
    assert shown.json["result"]["values"]["delivery/relay-password"] == {
        "value": None,
        "default": False,
        "secret": True,
        "shown": "********",
    }


def test_every_fault_is_told_with_its_path_and_nothing_is_changed(office: Office) -> None:
    assert patch(office, {"smtp/max-recipients": 500}).status == 200
    before = (office.folder / "mailserver.cfg").read_bytes()
    answer = patch(office, {"smtp/max-message-size": "many", "smtp/nonsense": 1, "smtp/log-subject": True})
    assert answer.status in (404, 422)
    faults = {fault["name"] for fault in answer.json["error"]["fields"]}
    assert faults >= {"smtp/max-message-size", "smtp/nonsense"}
    assert (office.folder / "mailserver.cfg").read_bytes() == before
    for wrong in ([1], "x", {"smtp/max-recipients": {"a": 1}}, {"smtp/max-recipients": [[1]]}):
        assert patch(office, wrong).status in (400, 422)


def test_check_changes_nothing(office: Office) -> None:
    answer = patch(office, {"smtp/max-recipients": 500}, "/smtp?check=1")
    assert answer.status == 200 and answer.json["result"]["paths"] == ["smtp/max-recipients"]
    assert read(office, "/smtp").json["result"]["values"]["smtp/max-recipients"]["value"] == 1000


def test_who_has_seen_another_version_changes_nothing(office: Office) -> None:
    seen = read(office, "/smtp").json["version"]
    assert patch(office, {"smtp/max-recipients": 500}, "/smtp", headers={"If-Match": f'"{seen}"'}).status == 200
    late = patch(office, {"smtp/max-recipients": 600}, "/smtp", headers={"If-Match": f'"{seen}"'})
    assert (late.status, late.json["error"]["kind"]) == (412, "stale")
    # A change of another section is no reason.
    imap = read(office, "/imap").json["version"]
    assert patch(office, {"smtp/max-recipients": 700}).status == 200
    assert read(office, "/imap").json["version"] == imap


def test_an_edit_made_outside_is_a_conflict_with_each_value_that_differs(office: Office) -> None:
    ctx = office.context()
    assert ask(lambda: ctx, SETTINGS, {"smtp/max-recipients": 500}, method="PATCH").status == 200
    path = office.folder / "mailserver.cfg"
    path.write_text(path.read_text().replace("<max-recipients>500<", "<max-recipients>900<"))
    answer = ask(lambda: ctx, SETTINGS, {"smtp/max-recipients": 600}, method="PATCH")
    assert answer.status == 409
    assert answer.json["error"]["differs"] == [{"path": "smtp/max-recipients", "in_use": "500", "on_disk": "900"}]


def test_what_is_dangerous_wants_its_words(office: Office) -> None:
    answer = patch(office, {"relay/allow-from": ["0.0.0.0/0"]})
    assert answer.status == 422 and (words := answer.json["error"]["confirm"])
    assert patch(office, {"relay/allow-from": ["0.0.0.0/0"]}, f"?confirm={words.replace(' ', '%20')}").status == 200


def test_the_schema_says_of_every_setting_what_a_form_needs() -> None:
    schema = settings_schema(MailServer)
    for path, kind, field in paths.declared(MailServer):
        part: Any = schema
        for step in path.split("/"):
            part = part["properties"][step.removesuffix("[]")]
            if step.endswith("[]"):
                part = part["items"]
        assert part["x-path"] == path and part["title"] and part["description"], path
        assert part["type"] in ("string", "boolean", "integer", "number", "array"), path
        assert "default" in part or part.get("x-secret") or kind.model_fields[field].is_required(), path
    assert [title(name) for name in ("relay-tls", "max-message-size", "helo", "ipv6", "mx-port")] == [
        "Relay TLS", "Maximum message size", "HELO", "IPv6", "MX port",
    ]  # fmt: skip


def test_the_description_is_handed_out_to_whoever_is_let_in(office: Office) -> None:
    answer = ask(office.context, "/api/admin/schema", method="GET")
    made = json.loads(answer.body)
    assert {"settings", "records", "calls"} <= set(made)
    again = ask(office.context, "/api/admin/schema", method="GET", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status == 304
    packed = ask(office.context, "/api/admin/schema", method="GET", headers={"Accept-Encoding": "br, gzip"})
    assert gzip.decompress(packed.body) == answer.body


def test_no_secret_stands_in_a_log_or_in_an_operation(office: Office) -> None:
    operations = Operations(office.state, office.clock, office.log, iter("abcdefgh").__next__)
    made = office.context(operations=operations)

    async def look() -> None:
        for operation in operations.list():
            assert "hush" not in operation.subject
            await operations.cancel(operation.id)

    assert patch(office, {"alerts/webhook-secret": "hush-1"}, "/alerts").status == 200
    assert ask(lambda: made, f"{SETTINGS}/alerts?undo=10", {"alerts/webhook-secret": "hush-3"}, method="PATCH",
               after=look).status == 202  # fmt: skip
    assert "hush" not in repr(office.log.records)


def test_what_is_dangerous_is_refused_with_the_words_to_type(office: Office) -> None:
    answer = patch(office, {"delivery/tls": "none"})
    assert answer.status == 422 and answer.json["error"]["confirm"] == "no TLS"
    assert [field["name"] for field in answer.json["error"]["fields"]] == ["delivery/tls"]
    assert patch(office, {"delivery/tls": "none"}, "?check=1").json["error"]["confirm"] == "no TLS"
    assert read(office).json["result"]["values"]["delivery/tls"]["value"] == "opportunistic"
    assert patch(office, {"delivery/tls": "none"}, "?confirm=no%20TLS").status == 200


def test_dangers_stand_in_the_schema_with_their_words() -> None:
    def dangers(schema: Any, path: str = "") -> dict[str, Any]:
        own = {path: schema["x-danger"]} if "x-danger" in schema else {}
        return own | {
            where: said
            for name, part in schema.get("properties", {}).items()
            for where, said in dangers(part, f"{path}/{name}".strip("/")).items()
        }

    declared = dangers(settings_schema(MailServer))
    assert {"store/directory", "services/console/enabled", "relay/allow-from", "delivery/tls"} <= set(declared)
    assert all(said["text"] and said["confirm"] for said in declared.values())
