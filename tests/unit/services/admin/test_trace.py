"""A trace tells a message's whole story, and nobody else's."""

import time
from pathlib import Path
from typing import Any

import pytest

from tests.support.fakes import InlinePool
from tests.unit.services.admin.office import CALLS, Office, item
from whimbrel.backends.logs.journal import FileLog, Journal
from whimbrel.backends.logs.tail import LogReader
from whimbrel.services.admin.calls import CallError, Failure
from whimbrel.services.admin.invoke import stream

ONE, TWO, REPORT, THREE, FOUR, FIVE = (f"{int(time.time()):08x}-{number:08x}" for number in range(1, 7))


class Desk(Office):
    """With logs on disk, written by the real journal."""

    def context(self, **more: Any) -> Any:
        return super().context(**{"logs": LogReader(self.folder / "logs", InlinePool(), poll=0.001)} | more)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    desk = Desk(tmp_path / "office")
    desk.clock.time = time.time()
    journal = Journal(desk.folder / "logs")
    log = FileLog(journal)
    log.info("message.received", queue_id=ONE, service="smtp", from_="ann@a.test", to="bob@b.test, cy@c.test", size=9,
             sender_host="192.0.2.2", message_id="<first@a.test>")  # fmt: skip
    log.warning("filter.down", filter="dnsbl", queue_id=ONE, status="451")
    log.info("message.judged", queue_id=ONE, to="", action="junk", rule="score", score=6.2, required=5.0,
             symbols="A=4 B=2.2")  # fmt: skip
    log.info("delivery.sent", queue_id=ONE, recipient="bob@b.test", result="delivered", status="2.0.0")
    log.info("delivery.sent", queue_id=ONE, recipient="cy@c.test", result="failed", status="5.1.1 No such user")
    log.info("message.caused", queue_id=REPORT, cause=ONE)
    log.info("message.received", queue_id=REPORT, service="internal", from_="", to="ann@a.test", size=9)
    log.info("delivery.sent", queue_id=REPORT, recipient="ann@a.test", result="relayed", status="2.0.0")
    log.info("report.sent", queue_id=ONE, report=REPORT, to="ann@a.test", result="failed", recipients=1)
    log.info("message.received", queue_id=TWO, service="smtp", from_="ann@a.test", to=f"x {ONE}@b.test", size=9,
             message_id="", subject="Your invoice, Urgent: pay, Réf: 4711")  # fmt: skip
    log.info("delivery.sent", queue_id=TWO, recipient="bob@b.test", result="delivered", status="2.0.0")
    log.info("message.received", queue_id=THREE, service="smtp", from_="eve@e.test",
             to="müller@xn--strae-oqa.test", size=9)  # fmt: skip
    log.info("message.received", queue_id=FOUR, service="smtp", from_='"x..y."@docomo.test',
             to='amy@c9.test, "john doe"@remote.test', size=9)  # fmt: skip
    log.info("message.received", queue_id=FIVE, service="smtp", from_="doe@c9.test", to="john@remote.test", size=9)
    journal.close()
    return desk


def told(desk: Desk, **arguments: Any) -> list[tuple[str, str]]:
    return [(step.id, step.event) for step in desk.stream("trace", **arguments) if step.log != "now"]


@pytest.mark.parametrize(
    "said",
    [
        {"sender": "x..y.@docomo.test"}, {"sender": '"X..Y."@docomo.test'}, {"sender": "docomo.test"},
        {"to": '"john doe"@remote.test'}, {"to": "John Doe@Remote.test"},
    ],
)  # fmt: skip
def test_quoted_and_unquoted_are_one_address(desk: Desk, said: dict[str, str]) -> None:
    assert told(desk, **said) == [(FOUR, "Recv")]
    (line,) = desk.do("log search", address=next(iter(said.values()))).items
    assert FOUR in line.text


STORY = [
    (ONE, "Recv"), (ONE, "Filter down"), (ONE, "Judged"), (ONE, "Sent"), (ONE, "Sent"),
    (REPORT, "Caused"), (REPORT, "Recv"), (REPORT, "Sent"), (ONE, "Report")]  # fmt: skip


def test_a_story_is_all_that_happened_to_a_message_and_to_what_came_of_it(desk: Desk) -> None:
    steps = [step for step in desk.stream("trace", id=ONE) if step.log != "now"]
    assert sorted((step.id, step.event) for step in steps) == sorted(STORY)
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert {step.causes for step in steps} == {"", REPORT}
    report = next(step for step in steps if step.event == "Report")
    assert report.text.endswith(f"{ONE}  Report: Report: {REPORT}, To: <ann@a.test>, Result: failed, Recipients: 1")
    down = next(step for step in steps if step.event == "Filter down")
    assert down.log == "warning" and "  warning: Filter down: Filter: dnsbl, Status: 451" in down.text


@pytest.mark.parametrize(
    ("arguments", "ids"),
    [
        ({"message_id": "<first@a.test>"}, {ONE, REPORT}),
        ({"id": "first@a.test"}, {ONE, REPORT}),
        ({"sender": "Ann@A.test"}, {ONE, TWO, REPORT}),
        ({"to": "cy@c.test"}, {ONE, REPORT}),
        ({"sender": "a.test", "to": "bob@b.test"}, {ONE, TWO, REPORT}),
        ({"sender": "ann@a.test", "to": "cy@c.test"}, {ONE, REPORT}),
        ({"to": "bob@b.test", "since": "1h"}, {ONE, TWO, REPORT}),
        ({"to": "@c.test"}, {ONE, REPORT}),
        ({"id": ONE.upper()}, {ONE, REPORT}),
        ({"to": "müller@straße.test"}, {THREE}),
        ({"to": "@Straße.test", "sender": "e.test"}, {THREE}),
        ({"to": "straße.test"}, {THREE}),
        ({"subject": "INVOICE, urgent"}, {TWO}),
        ({"subject": "réf: 4711", "sender": "a.test"}, {TWO}),
    ],
)
def test_a_message_is_found_by_its_addresses_and_its_message_id(
    desk: Desk, arguments: dict[str, str], ids: set[str]
) -> None:
    assert {step.id for step in desk.stream("trace", **arguments)} == ids


def test_an_id_in_an_address_makes_nobody_part_of_the_story(desk: Desk) -> None:
    assert TWO not in {step.id for step in desk.stream("trace", id=ONE)}


def test_what_still_waits_comes_last(desk: Desk) -> None:
    waiting = item(1, "dora@d.test", attempts=3, next_attempt=desk.clock.time + 60)
    desk.queue.items.append(type(waiting)(**{f: getattr(waiting, f) for f in waiting.__slots__} | {"id": ONE}))
    last = desk.stream("trace", id=ONE)[-1]
    assert (last.log, last.fields["State"], last.fields["Attempts"]) == ("queue", "waiting", "3")
    assert last.fields["Recipient-1"] == "<dora@d.test> (4.4.1 Cannot connect)"


@pytest.mark.parametrize("arguments", [{"id": "438dd9ea-0000ffff"}, {"sender": "nobody@nowhere.test"}, {"to": "b.tes"}])
def test_nothing_found_is_told_with_how_far_the_logs_reach(desk: Desk, arguments: dict[str, str]) -> None:
    with pytest.raises(CallError, match="the mail log reaches back to 20") as caught:
        desk.stream("trace", **arguments)
    assert caught.value.kind is Failure.NOT_FOUND and caught.value.kind.exit_status == 3


def test_a_subject_is_not_taken_from_another_field_and_its_setting_is_named(desk: Desk) -> None:
    with pytest.raises(CallError, match="it has no subjects while smtp/log-subject is off"):
        desk.stream("trace", subject="first@a.test")


def test_a_file_that_cannot_be_read_is_named_where_nothing_is_known(desk: Desk) -> None:
    (desk.folder / "logs" / "mail.log.1").mkdir()
    with pytest.raises(CallError, match=r"reaches back to 20.*mail\.log\.1 cannot be read"):
        desk.stream("trace", id="438dd9ea-0000ffff")
    with pytest.raises(CallError, match=r"mail\.log\.1 cannot be read"):
        desk.stream("log tail", lines=100)
    assert len(desk.stream("log tail", lines=5)) == 5


def test_a_trace_of_nothing_is_a_mistake(desk: Desk) -> None:
    with pytest.raises(CallError) as caught:
        desk.stream("trace")
    assert caught.value.kind is Failure.USAGE


def test_following_goes_on_with_the_message_and_its_reports(desk: Desk) -> None:
    import asyncio

    async def work() -> list[tuple[str, str]]:
        steps = stream(CALLS["trace"], desk.context(), {"id": ONE, "follow": True})
        found = [await anext(steps) for _ in STORY]
        later = asyncio.ensure_future(anext(steps))
        await asyncio.sleep(0.01)
        journal = Journal(desk.folder / "logs")
        log, other = FileLog(journal), f"{ONE[:8]}-000000ff"
        log.info("delivery.sent", queue_id=TWO, recipient="no@b.test", result="delivered", status=ONE)
        log.info("message.caused", queue_id=other, cause=ONE)
        log.info("delivery.sent", queue_id=other, recipient="ann@a.test", result="delivered", status="2.0.0")
        journal.close()
        found += [await asyncio.wait_for(later, 20), await asyncio.wait_for(anext(steps), 20)]
        await steps.aclose()  # type: ignore[attr-defined]
        return [(step.id[-2:], step.event) for step in found[-2:]]  # type: ignore[attr-defined]

    assert asyncio.run(work()) == [("ff", "Caused"), ("ff", "Sent")]


def test_logs_are_searched_shown_and_put_aside(desk: Desk) -> None:
    page = desk.do("log search", text="RESULT: delivered", limit=1)
    assert len(page.items) == 1 and page.more
    rest = desk.do("log search", text="RESULT: delivered", after=page.more)
    assert len(rest.items) == 1 and not rest.more
    assert len(desk.do("log search", id=ONE, log=["mail", "warning"]).items) == 6
    assert len(desk.do("log search", regex="status: 5\\.1", host="").items) == 1
    assert [line.text.split("] ")[1][:4] for line in desk.do("log show", line=2, lines=2).items] == ["Sent", "Sent"]
    assert desk.do("log show", at="1h", lines=1).items[0].at > 0
    assert desk.do("log rotate", log=["mail"]).text == "Log mail was put aside"
    assert (desk.folder / "logs" / "mail.log.1").exists()
    assert len(desk.do("log search", address="ann@a.test").items) == 5
    assert len(desk.do("log search", address="müller@straße.test").items) == 1
    assert len(desk.do("log search", address="@A.test", since="yesterday").items) == 5
    with pytest.raises(CallError, match="There is no line 99: the file ends before it") as caught:
        desk.do("log show", line=99, lines=1)
    assert caught.value.kind is Failure.NOT_FOUND
    for arguments in ({"since": "tomorrow"}, {"regex": "("}, {"after": "x"}, {"since": "1y"}):
        with pytest.raises(CallError) as caught:
            desk.do("log search", **arguments)
        assert caught.value.kind is Failure.USAGE


def test_debug_categories_fall_silent_by_themselves(desk: Desk) -> None:
    assert desk.do("log level").text == "The debug log is off"
    text = desk.do("log level", category=["smtp", "dns"], lasting="30m").text
    until = desk.clock.time + 1800
    ends = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(until))
    assert text == f"The debug log tells about smtp, dns until {ends}"
    assert time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(until)) in desk.settings
    desk.clock.forward(1801)
    assert desk.do("log level").text == f"The debug log told about smtp, dns until {ends}"
    assert desk.do("log level", category=["all"], lasting="0").text.endswith("until it is switched off")
    assert desk.do("log level", off=True).text == "The debug log is off"
    for wrong in ({"off": True}, {"lasting": "999999999w"}, {"lasting": "0.1s"}, {"lasting": "-1h"}, {"lasting": ""}):
        with pytest.raises(CallError) as caught:
            desk.do("log level", category=["smtp"], **wrong)
        assert caught.value.kind is Failure.USAGE


def test_mail_that_came_by_another_address_is_found_by_the_mailbox_that_has_it(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "office")
    desk.clock.time = time.time()
    journal = Journal(desk.folder / "logs")
    FileLog(journal).info("delivery.sent", queue_id=ONE, recipient="info@b.test", result="delivered", status="2.0.0",
                          mailbox="alice@b.test", folder="INBOX")  # fmt: skip
    journal.close()
    assert told(desk, to="alice@b.test") == told(desk, to="info@b.test") == [(ONE, "Sent")]


def test_it_is_said_where_a_message_is_now(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "office")
    desk.clock.time = time.time()
    journal = Journal(desk.folder / "logs")
    log = FileLog(journal)
    for folder in ("INBOX", "Projects/2026"):
        log.info("delivery.sent", queue_id=ONE, recipient="info@b.test", result="delivered", status="2.0.0",
                 mailbox="alice@b.test", folder=folder)  # fmt: skip
    log.info("delivery.sent", queue_id=ONE, recipient="x@c.test", result="relayed", status="2.0.0",
             remote="mx.c.test [192.0.2.25]")  # fmt: skip
    log.info("delivery.sent", queue_id=ONE, recipient="y@c.test", result="failed", status="5.1.1")
    log.info("delivery.sent", queue_id=ONE, recipient="z@c.test", result="delayed", status="4.4.1")
    journal.close()
    (now,) = [step for step in desk.stream("trace", id=ONE) if step.log == "now"]
    assert list(now.fields.values()) == [
        "in the mailbox alice@b.test, folder INBOX",
        "in the mailbox alice@b.test, folder Projects/2026",
        "sent on to mx.c.test [192.0.2.25] for <x@c.test>",
        "returned to its sender for <y@c.test>",
    ]
    waiting = item(1, "z@c.test", next_attempt=desk.clock.time + 60)
    desk.queue.items.append(type(waiting)(**{f: getattr(waiting, f) for f in waiting.__slots__} | {"id": ONE}))
    now, queued = desk.stream("trace", id=ONE)[-2:]
    assert (now.fields["Rest"], queued.log) == ("in the queue", "queue")


@pytest.mark.parametrize(
    ("host", "ids"),
    [("192.0.2.2", {ONE}), ("MX.c.test", {TWO}), ("192.0.2.25", {TWO}), ("c.test", None), ("192.0.2", None)],
)
def test_messages_are_sought_by_the_host_at_the_other_end(tmp_path: Path, host: str, ids: set[str] | None) -> None:
    desk = Desk(tmp_path / "office")
    desk.clock.time = time.time()
    journal = Journal(desk.folder / "logs")
    log = FileLog(journal)
    log.info("message.received", queue_id=ONE, service="smtp", from_="a@a.test", to="b@b.test", size=9,
             sender_host="192.0.2.2")  # fmt: skip
    log.info("delivery.sent", queue_id=TWO, recipient="x@c.test", result="relayed", status="2.0.0",
             remote="mx.c.test [192.0.2.25]")  # fmt: skip
    journal.close()
    if ids is None:
        with pytest.raises(CallError):
            desk.stream("trace", host=host)
    else:
        assert {step.id for step in desk.stream("trace", host=host)} == ids


def test_more_messages_than_one_answer_has_come_by_going_on(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "office")
    desk.clock.time = time.time()
    journal = Journal(desk.folder / "logs")
    ids = [f"{int(time.time()):08x}-{number:08x}" for number in range(45)]
    for queue_id in ids:
        FileLog(journal).info(
            "delivery.sent", queue_id=queue_id, recipient="b@b.test", result="delivered", status="2.0.0"
        )
    journal.close()
    seen: list[str] = []
    for skip in (0, 20, 40):
        page = {step.id for step in desk.stream("trace", to="b@b.test", skip=skip) if step.log != "now"}
        assert len(page) == min(20, 45 - skip) and not page & set(seen)
        seen += page
    assert sorted(seen) == ids
    assert len({step.id for step in desk.stream("trace", to="b@b.test", limit=200)}) == 45


def test_a_bare_name_is_one_of_the_primary_domain(tmp_path: Path) -> None:
    desk = Desk(tmp_path / "office")
    desk.clock.time = time.time()
    journal = Journal(desk.folder / "logs")
    for queue_id, whose in ((ONE, "alice@example.org"), (TWO, "alice@other.test")):
        FileLog(journal).info("delivery.sent", queue_id=queue_id, recipient=whose, result="delivered", status="2.0.0",
                              mailbox=whose, folder="INBOX")  # fmt: skip
    journal.close()
    assert told(desk, to="alice") == told(desk, to="Alice@example.org") == [(ONE, "Sent")]
    assert told(desk, to="other.test") == told(desk, to="@other.test") == [(TWO, "Sent")]
