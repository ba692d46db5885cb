"""The debug log tells each decision about a message: its routing, what filters said, its rating, its folder."""

import asyncio

from tests.support.filters import Says, filter_ports
from tests.support.reception_house import House, house
from whimbrel.core.errors import MailError
from whimbrel.core.log import Value
from whimbrel.flow.assessment import Action, Assessment, Finding, Stage, Symbol
from whimbrel.flow.judging.filter import QuickFilter

ALICE, BOB = "alice@example.test", "bob@example.test"
SUSPECT = Says(Finding((Symbol("BAD_LINK", 6.0),)))


class Down(QuickFilter):
    name, stage = "down", Stage.DATA

    def look(self, tx: object, known: Assessment, account: object) -> Finding:
        raise MailError(451, "4.4.3", "DNS is down")


def sent(*recipients: str, debugging: set[str], filters: tuple[QuickFilter, ...] = ()) -> House:
    there = house(filters=filters)
    there.directory.alias("staff@example.test", ALICE, BOB)
    there.log.debugging = debugging
    asyncio.run(there.send(*recipients))
    return there


def fields(record: dict[str, Value], *names: str) -> tuple[Value, ...]:
    return tuple(record[name] for name in names)


def test_each_address_on_the_way_is_told_with_its_rule_and_where_it_leads() -> None:
    there = sent("staff@example.test", debugging={"routing"})
    told = [fields(record, "address", "rule", "leads_to") for record in there.log.named("routing.followed")]
    assert told == [
        ("staff@example.test", "alias", f"staff@example.test: {ALICE}, {BOB}"),
        (ALICE, "account", f"mailbox {ALICE}"),
        (BOB, "account", f"mailbox {BOB}"),
    ]
    assert {record["recipient"] for record in there.log.named("routing.followed")} == {"staff@example.test"}


def test_a_refusal_is_told_with_the_rule_that_refused() -> None:
    there = house()
    there.log.debugging = {"routing"}
    try:
        asyncio.run(there.send("nobody@example.test"))
    except MailError:
        pass
    (record,) = there.log.named("routing.followed")
    assert record["rule"] == "unknown"
    assert "User unknown" in str(record["leads_to"])


def test_what_filters_said_and_who_was_passed_over_is_told() -> None:
    there = sent(ALICE, debugging={"filter"}, filters=(SUSPECT, Down(filter_ports())))
    (said,) = there.log.named("filter.answered")
    assert fields(said, "filter", "action", "symbols", "waives") == ("says", "accept", "BAD_LINK=6", False)
    (passed,) = there.log.named("filter.passed")
    assert fields(passed, "filter", "reason") == ("down", "DNS is down; the message goes past it")


def test_the_rating_and_the_folder_are_told_with_the_rule_that_decided() -> None:
    there = sent(ALICE, debugging={"message"}, filters=(SUSPECT,))
    (rated,) = there.log.named("message.rated")
    assert fields(rated, "mailbox", "action", "rule", "score", "required") == (ALICE, "junk", "score", 6.0, 5.0)
    (placed,) = there.log.named("message.placed")
    assert placed["mailbox"] == ALICE
    assert "junk" in str(placed["folder"]).lower()
    assert Action.JUNK.name.lower() == rated["action"]


def test_nothing_is_made_while_nobody_debugs() -> None:
    there = sent("staff@example.test", debugging=set(), filters=(SUSPECT, Down(filter_ports())))
    assert [name for level, name, _ in there.log.records if level == "debug"] == []
