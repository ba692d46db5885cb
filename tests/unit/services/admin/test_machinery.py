"""Queue, store, logs, status."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import Office, item
from whimbrel.flow.judging.health import Health
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.server.moments import shown


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.queue.items += [item(1), item(2, "carol@x.test", created=1_789_999_000.0), item(3, held=True)]
    return office


def refused(office: Office, call: str, /, **arguments: Any) -> CallError:
    with pytest.raises(CallError) as caught:
        office.do(call, **arguments)
    return caught.value


@pytest.mark.parametrize(
    ("filters", "ids"),
    [
        ({}, ["q1", "q2", "q3"]),
        ({"to": "carol"}, ["q2"]),
        ({"older": "1h"}, ["q1", "q3"]),
        ({"status": "4.4.1"}, ["q1", "q2", "q3"]),
        ({"sender": "nobody"}, []),
        ({"held": True}, ["q3"]),
        ({"held": False, "limit": 1}, ["q1"]),
    ],
)
def test_the_queue_is_listed_by_filters(office: Office, filters: dict[str, Any], ids: list[str]) -> None:
    assert [row.id for row in office.do("queue list", **filters).items] == ids


def test_a_queue_verb_says_which_messages_it_means(office: Office) -> None:
    for verb in ("try", "hold", "release", "delete"):
        assert refused(office, f"queue {verb}").kind is Failure.USAGE
    assert office.do("queue try", ids=["q1"]).text == "1 message was tried now"
    assert office.queue.tried == ["q1"]
    assert office.do("queue hold", to="carol").count == 1
    assert office.do("queue list", held=True).held == 2
    assert office.do("queue release", all=True).count == 2
    assert office.do("queue delete", {"dry_run": True}, all=True).text == "3 messages would be deleted"
    assert office.do("queue delete", ids=["q1", "q2"]).count == 2
    assert [entry.id for entry in office.queue.items] == ["q3"]
    assert refused(office, "queue delete", ids=["q1"]).kind is Failure.NOT_FOUND


def test_a_message_in_the_queue_is_shown_with_its_recipients(office: Office) -> None:
    view = office.do("queue show", id="q3")
    assert (view.recipients[0].address, view.recipients[0].state) == ("bob@remote.test", "held")
    assert refused(office, "queue show", id="q9").kind is Failure.NOT_FOUND


def test_the_store_is_checked_and_rebuilt_folder_by_folder(office: Office) -> None:
    lines = office.stream("store check", all=True)
    assert [(line.folder, bool(line.problems)) for line in lines] == [("INBOX", True), ("Sent", False)]
    assert office.stream("store reindex", account="alice", folder="Sent")[0].repaired
    assert office.keeper.reindexed == ["Sent"]
    for arguments in ({}, {"account": "alice", "all": True}):
        with pytest.raises(CallError) as caught:
            office.stream("store check", **arguments)
        assert caught.value.kind is Failure.USAGE


def test_the_end_of_a_log(office: Office) -> None:
    assert office.stream("log tail", log=["mail"], lines=2) == ["two Alice", "three"]
    assert office.stream("log tail", grep="alice") == ["two Alice"]
    assert office.stream("log tail", lines=0, follow=True) == ["new 0", "new 1", "new 2"]
    assert office.stream("log tail", lines=0, follow=True, grep="W 1") == ["new 1"]
    assert office.stream("log tail", log=["spam", "mail"], lines=1) == ["spam: three"]


def test_a_service_has_a_state_and_the_reason_for_it(office: Office) -> None:
    states = {row.service: (row.state, row.detail) for row in office.do("service list").items}
    assert states["imap"] == ("listening", "")
    assert states["smtp"][0] == "refused" and states["smtp"][1].startswith("*:25: the port is held by exim. ")
    assert states["lmtp"] == ("off", "")
    assert states["pop3"] == ("starting", "")
    stopped = {row.service: row.state for row in office.do("service list", {"status": None, "live": False}).items}
    assert (stopped["imap"], stopped["lmtp"]) == ("stopped", "off")


def test_the_status_tells_of_server_queue_and_processes(office: Office) -> None:
    found = office.do("status")
    assert (found.pid, found.waiting, found.held, found.processes[0].name) == (42, 2, 1, "mail/1")


def test_the_status_tells_which_filter_is_down_since_when_and_why(office: Office) -> None:
    async def outage() -> None:
        health = Health(office.state, office.clock, office.log)
        await health.failed("dnsbl", "timed out after 5 s")

    def sentences() -> list[str]:
        return [row.text for row in office.do("status").attention if "dnsbl" in row.text]

    assert sentences() == []
    asyncio.run(outage())
    (text,) = sentences()
    assert text == (
        f"filter dnsbl has been down since {shown(office.clock.now())}: 1 message had no answer of it; last error: "
        "timed out after 5 s"
    )

    async def recovery() -> None:
        health = Health(office.state, office.clock, office.log)
        await health.failed("dnsbl", "once more")
        await health.well("dnsbl")

    asyncio.run(recovery())
    assert sentences() == []
