"""Calls about the queue and about deliveries under way."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.unit.services.admin.office import CALLS, Office, ask, item
from whimbrel.core.disposition import HELD_REMOTE, Parked
from whimbrel.core.tasks import DeliveryTask
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.invoke import prepare, question, stream
from whimbrel.services.admin.mail import queue as queue_calls
from whimbrel.services.admin.mail.tasks import TaskChange


@pytest.fixture
def office(tmp_path: Path) -> Office:
    office = Office(tmp_path / "office")
    office.queue.items += [item(1), item(2, "carol@x.test", size=1 << 21), item(3, held=True)]
    return office


class Live:
    def __init__(self) -> None:
        self.looks = [[("q1", "connecting", 0)], [("q1", "content", 45)], [("q1", "content", 45)], []]
        self.aborted: list[str] = []

    async def list(self) -> Sequence[DeliveryTask]:
        look = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
        return [
            DeliveryTask(id, "6ab3f000-1", "<>", "x.test", 1, phase, "mx", 100, sent, "TLSv1.3", 5.0)
            for id, phase, sent in look
        ]

    async def abort(self, task: str) -> bool:
        self.aborted.append(task)
        return task == "q1"


def test_messages_are_chosen_by_size_and_ids_too(office: Office) -> None:
    assert [row.id for row in office.do("queue list", size="1M").items] == ["q2"]
    assert [row.id for row in office.do("queue list", ids=["q1", "q3"]).items] == ["q1", "q3"]
    assert office.do("queue hold", size="1M").count == 1


def test_an_address_beyond_ascii_is_found_as_it_is_written(office: Office) -> None:
    office.queue.items.append(item(4, "müller@straße.test"))
    for written in ("müller@straße.test", "@Straße.test", "straße.test", "xn--strae-oqa", "müller"):
        assert [row.id for row in office.do("queue list", to=written).items] == ["q4"]


def test_deleting_tells_the_senders_only_where_that_is_wanted(office: Office) -> None:
    assert office.do("queue delete", ids=["q1"], report=True).text == "1 message was returned"
    ((queue_id, status),) = office.queue.returned
    assert queue_id == "q1" and status.startswith("5.7.1 ") and "administrator" in status
    assert office.do("queue delete", {"dry_run": True}, all=True, report=True).text == "3 messages would be returned"
    assert office.do("queue delete", ids=["q2"]).text == "1 message was deleted"
    assert len(office.queue.returned) == 1


def test_a_run_tries_all_that_is_not_held(office: Office) -> None:
    assert office.do("queue run").count == 2
    assert office.queue.tried == ["q1", "q2"]


def test_the_statistics_name_the_longest_lines(office: Office) -> None:
    totals = office.do("queue stats")
    assert (totals.waiting, totals.held) == (2, 1)
    assert [(row.destination, row.waiting, row.held) for row in totals.destinations] == [
        ("remote.test", 1, 1),
        ("x.test", 1, 0),
    ]


def test_an_id_that_names_nothing_beside_one_that_does_is_told(office: Office) -> None:
    assert office.do("queue hold", ids=["q1", "q9"]).text == "1 message was held; there was none for 1 of the ids"
    assert office.do("queue hold", ids=["q2", "q2"]).text == "1 message was held"


def test_the_source_is_told_line_by_line(office: Office) -> None:
    office.queue.contents["q1"] = b"Subject: gr\xc3\xbcn\r\nX: \xff\r\n\r\nbody\r\nlast"
    assert office.stream("queue source", id="q1") == ["Subject: gr\u00fcn", "X: \ufffd", "", "body", "last"]
    assert office.stream("queue source", id="q1", header=True) == ["Subject: gr\u00fcn", "X: \ufffd"]
    with pytest.raises(CallError) as error:
        office.stream("queue source", id="q9")
    assert error.value.kind is Failure.NOT_FOUND


def test_deliveries_under_way_are_listed_and_ended(office: Office) -> None:
    live = Live()
    (row,) = office.do("task list", {"tasks": live}).items
    assert (row.id, row.sender, row.phase, row.percent) == ("q1", "<>", "connecting", 0)
    assert "ended" in office.do("task abort", {"tasks": live}, id="q1").text
    with pytest.raises(CallError) as error:
        office.do("task abort", {"tasks": live}, id="q7")
    assert error.value.kind is Failure.NOT_FOUND and live.aborted == ["q1", "q7"]
    office.do("task abort", {"tasks": live, "dry_run": True}, id="q1")
    assert live.aborted == ["q1", "q7"]


def test_watching_tells_what_has_changed(office: Office) -> None:
    async def watch() -> list[TaskChange]:
        ctx = office.context(tasks=Live())
        return [one async for one in stream(CALLS["task watch"], ctx, {"interval": 0.1, "looks": 4})]

    found = asyncio.run(watch())
    assert [(one.phase, one.progress) for one in found] == [("connecting", "0%"), ("content", "45%"), ("ended", "")]


def test_what_an_administrator_does_to_a_message_stands_in_its_story(office: Office) -> None:
    office.queue.items = [item(1), item(2)]
    office.do("queue hold", ids=["q1"])
    office.do("queue release", ids=["q1"])
    office.do("queue try", ids=["q1"])
    office.do("queue delete", {"dry_run": True}, ids=["q1"])
    office.do("queue delete", ids=["q1", "q2"])
    told = [(record["queue_id"], record["action"]) for record in office.log.named("queue.touched")]
    assert told == [("q1", "held"), ("q1", "released"), ("q1", "tried now"), ("q1", "deleted"), ("q2", "deleted")]


def test_what_is_done_to_very_many_messages_names_a_bounded_number(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue_calls, "_LOGGED", 3)
    office.queue.items = [item(number) for number in range(10)]
    office.do("queue hold", all=True)
    assert len(office.log.named("queue.touched")) == 3
    assert office.log.named("queue.touched-more")[0]["count"] == 7


def test_the_question_before_a_deletion_names_count_size_and_what_becomes_of_the_mail(office: Office) -> None:
    office.queue.items = [item(1), item(2)]

    def asked(**arguments: Any) -> str:
        async def work() -> str:
            return await question(prepare(CALLS["queue delete"], office.context(), arguments))

        return asyncio.run(work())

    assert asked(all=True).startswith("Delete 2 messages (8192 octets)? They are lost")
    assert "report" in asked(all=True, report=True)
    assert asked(to="nobody") == ""  # Nothing would happen.
    with pytest.raises(CallError):
        asked()
    answer = ask(office.context, "/api/admin/queue/delete?question=1", {"ids": ["q1"]})
    assert "1 message (4096 octets)" in answer.json["question"] and len(office.queue.items) == 2


def test_the_list_shows_all_that_a_message_is_known_by(office: Office) -> None:
    """Mission S46."""
    office.queue.items = [replace(item(1), message_id="<1@x.test>", client="192.0.2.9")]
    (row,) = office.do("queue list").items
    assert (row.message_id, row.client, row.sender) == ("<1@x.test>", "192.0.2.9", f"<{item(1).sender}>")
    assert row.recipients == tuple(str(one.recipient.address) for one in item(1).recipients)


def test_why_a_message_is_parked_is_shown(office: Office) -> None:
    office.queue.items[2] = replace(office.queue.items[2], parked=Parked("quarantine", 1_790_000_060.0))
    assert [row.status for row in office.do("queue list").items][-1] == "held: quarantine"
    assert office.do("queue show", id=office.queue.items[2].id).parked == "quarantine"
    assert office.do("queue show", id=office.queue.items[0].id).parked == ""


def test_what_is_held_is_neither_held_again_nor_tried_and_the_answer_and_the_log_say_so(office: Office) -> None:
    office.queue.items = [replace(item(3, held=True), parked=Parked(HELD_REMOTE))]
    assert office.do("queue hold", ids=["q3"]).text == (
        "0 messages were held; 1 message is held already: outgoing mail is held"
    )
    reason = "1 message is held (outgoing mail is held): `whimbrel queue release` first"
    with pytest.raises(CallError) as error:
        office.do("queue try", ids=["q3"])
    assert (error.value.kind, error.value.text) == (Failure.REFUSED, reason)
    for call, arguments in (("queue try", {"all": True}), ("queue run", {})):
        assert office.do(call, **arguments).text == f"0 messages were tried now; {reason}"
    assert office.log.named("queue.touched") == [] and office.queue.tried == []
    with pytest.raises(CallError) as error:
        office.do("queue try", ids=["q9"])
    assert error.value.kind is Failure.NOT_FOUND


def test_the_list_says_in_words_why_a_message_is_held_and_names_no_attempt_that_will_not_be(office: Office) -> None:
    office.queue.items = [replace(item(3, held=True), parked=Parked(HELD_REMOTE)), item(4, held=True)]
    rows = office.do("queue list").items
    assert [(row.status, row.next_attempt) for row in rows] == [
        ("held: outgoing mail is held", 0.0),
        ("held: an administrator holds it", 0.0),
    ]
    assert office.do("queue show", id="q3").parked == "outgoing mail is held"


def test_messages_are_found_by_whatever_is_known_of_them(office: Office) -> None:
    assert [row.id for row in office.do("queue list", search="q2").items] == ["q2"]
    assert [row.id for row in office.do("queue list", search="x.test").items] == [
        row.id for row in office.do("queue list", to="x.test").items
    ]


def test_what_could_not_be_done_is_told_one_by_one(office: Office) -> None:
    done = office.do("queue try", ids=["q1", "q3", "q9"])
    assert (done.count, [(each.id, each.text) for each in done.failed]) == (
        1, [("q9", "it is no longer in the queue"), ("q3", "it is held: an administrator holds it")],
    )  # fmt: skip
    done = office.do("queue release", ids=["q3", "q2"])
    assert [(each.id, each.text) for each in done.failed] == [("q2", "it is not held")]
    assert office.do("queue hold", all=True).failed == ()
