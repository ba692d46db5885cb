"""What was found before the content was judged is kept with a message that the queue judges to its end."""

import asyncio
from dataclasses import dataclass, replace

import pytest

from tests.support.filters import SPAM, OneRecipientOnly, Says, VerifiedSender, Waits
from tests.support.flow_fakes import address
from tests.support.reception_house import MAIL, STRANGER, House, house
from tests.unit.flow.test_late import into_mailboxes
from whimbrel.core.envelope import Recipient
from whimbrel.core.intake import Origin
from whimbrel.core.network import Network
from whimbrel.core.queue import QueueItem
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import OUTSIDERS, Action, Assessment, Fact, Finding, Stage, Symbol
from whimbrel.flow.intake.keeping import MOST, kept, restore
from whimbrel.flow.judging.filter import refuse
from whimbrel.flow.judging.policy import PolicySettings
from whimbrel.flow.routing.relay import RelaySettings
from whimbrel.flow.routing.route import Expansion
from whimbrel.flow.transaction import Addressee, Transaction
from whimbrel.mail.writing.changes import AddField, AddText, MarkSubject, RemoveFields, TakeOut

ALICE, BOB = "alice@example.test", "bob@example.test"
ACCEPT = PolicySettings.model_construct(**dict(PolicySettings()) | {"deadline": Duration(0.01), "when_late": "accept"})
FULL = Finding(
    (Symbol("A", 1.5, "Because"), Symbol("B", -2.0)),
    Action.REFUSE,
    waives=True,
    reply=refuse(550, "5.7.1", "No").reply,
    facts=(VerifiedSender("friend.test"),),
    changes=(AddField(b"X: \xff\r\n"), RemoveFields(b"x-*"), MarkSubject("ü"), TakeOut(3, "gone"), AddText("foot\n")),
    unheard=Action.QUARANTINE,
)


@dataclass(frozen=True, slots=True)
class Many(Fact):
    names: tuple[str, ...]
    score: float
    known: bool | None = None


def transaction(*recipients: str) -> Transaction:
    tx = Transaction("q1", Origin.INBOUND, STRANGER, None, None)
    for recipient in recipients:
        tx.addressees.append(Addressee(Recipient(address(recipient)), Expansion()))
    return tx


def equal(one: Finding, other: Finding) -> bool:
    """An error is equal to itself alone."""
    return str(one.reply) == str(other.reply) and replace(one, reply=None) == replace(other, reply=None)


def test_all_of_a_finding_is_read_back_for_the_message_and_for_each_recipient() -> None:
    tx = transaction(ALICE, BOB)
    session = Assessment()
    session.own["connect"] = FULL
    tx.known.parent = session
    tx.known.own["mail"] = Finding(facts=(Many(("a", "b"), 0.5), Many((), 1.0, True)))
    bob = tx.addressees[1]
    bob.known, tx.differs = Assessment(tx.known), True
    bob.known.own["rcpt"] = SPAM
    again = transaction(ALICE, BOB)
    restore(again, kept(tx, without=frozenset()), [VerifiedSender, Many])
    assert [name for name, _ in again.known.findings()] == ["connect", "mail"]
    connect, mail = (finding for _, finding in again.known.findings())
    assert equal(connect, FULL) and mail == tx.known.own["mail"]
    assert again.addressees[0].known is None and again.differs
    restored = again.addressees[1].known
    assert restored is not None and restored.own == {"rcpt": SPAM} and restored.parent is again.known


def test_nothing_is_nothing_and_filters_of_the_content_are_asked_again() -> None:
    tx = transaction(ALICE)
    assert kept(tx, without=frozenset()) == ""
    tx.known.own["data"] = SPAM
    assert kept(tx, without=frozenset({"data"})) == ""


def test_what_is_too_much_keeps_points_and_actions() -> None:
    tx = transaction(ALICE)
    for number in range(50):
        tx.known.own[f"filter-{number}"] = replace(FULL, symbols=(Symbol("S" * 500, 1.0, "w" * 5000),) * 20)
    text = kept(tx, without=frozenset())
    assert len(text) < 4 * MOST
    again = transaction(ALICE)
    restore(again, text, [])
    assert len(list(again.known.findings())) == 50 and again.known.gravest[1].action is Action.REFUSE


@pytest.mark.parametrize(
    "text",
    ["nonsense", "[]", "{}", '{"all": 5}', '{"all": [{"filter": "a", "action": "SHRUG"}]}', '{"each": {"x": 1}}',
     '{"all": [{"filter": "a", "facts": [["Later", {"x": 1}]], "changes": [["Later", {}]], "more": 1}]}'],
)  # fmt: skip
def test_what_another_release_wrote_is_passed_over(text: str) -> None:
    tx = transaction(ALICE)
    restore(tx, text, [])
    assert not any(finding.action or finding.facts for _, finding in tx.known.findings())


def late(*filters: object, recipients: tuple[str, ...] = (ALICE, BOB)) -> tuple[House, QueueItem, Waits]:
    waits = Waits(name="scanner")
    there = house(ACCEPT, filters=(*filters, waits))  # type: ignore[arg-type]

    async def send() -> None:
        known = await there.reception.connect(Origin.INBOUND, STRANGER)
        tx = await there.reception.mail(Origin.INBOUND, STRANGER, None, address("a@friend.test"), known=known)
        for recipient in recipients:
            await there.reception.rcpt(tx, Recipient(address(recipient)))
        await there.finish(tx, MAIL)

    asyncio.run(send())
    ((item, _),) = there.store.queued
    assert item.unchecked
    return there, item, waits


def resume(there: House, item: QueueItem) -> None:
    content = there.spool.hold(there.store.queued[0][1])
    errors = asyncio.run(there.reception.resume(item, [to.recipient for to in item.recipients], content))
    assert errors == [None] * len(item.recipients)
    assert not any(entry.options.findings for entry, _ in there.store.queued[1:])
    into_mailboxes(there)


@pytest.mark.parametrize("stage", [Stage.CONNECT, Stage.MAIL, Stage.RCPT])
def test_a_score_from_before_the_content_counts_when_the_queue_judges_it(stage: Stage) -> None:
    there, item, waits = late(Says(SPAM, name="early", stage=stage))
    waits.go.set()
    resume(there, item)
    assert {(one.account, one.folder) for one in there.store.filed} == {(ALICE, "Junk"), (BOB, "Junk")}
    assert all(b"SPAMMY=100" in one.content for one in there.store.filed)
    assert there.log.named("message.judged")[-1]["score"] == 100.0


def test_a_finding_for_one_recipient_still_concerns_that_one() -> None:
    there, item, waits = late(OneRecipientOnly(BOB, SPAM))
    waits.go.set()
    resume(there, item)
    assert {(one.account, one.folder) for one in there.store.filed} == {(ALICE, "INBOX"), (BOB, "Junk")}


def test_points_of_the_content_count_once() -> None:
    points = Finding((Symbol("CONTENT", 4.0),))
    there, item, waits = late(Says(points, name="content"), recipients=(ALICE,))
    waits.go.set()
    resume(there, item)
    assert there.store.filed[0].folder == "INBOX" and b"score=4.0" in there.store.filed[0].content


def test_mail_of_a_relay_network_is_judged_as_such_by_the_queue_too() -> None:
    class ForOutsiders(Says):
        peers = OUTSIDERS

    waits = Waits(name="scanner")
    relay = RelaySettings(allow_from=(Network("192.0.2.0/24"),))
    there = house(ACCEPT, relay, filters=(ForOutsiders(SPAM), waits))
    asyncio.run(there.send(ALICE))
    waits.go.set()
    resume(there, there.store.queued[0][0])
    assert there.store.filed[0].folder == "INBOX"
