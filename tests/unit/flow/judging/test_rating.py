"""What is known of a message becomes what happens to it, at each mailbox by its own thresholds."""

from dataclasses import replace

import pytest

from tests.support.fakes import FakeConfig
from tests.support.filters import NO
from tests.support.flow_fakes import account
from whimbrel.core.errors import MailError
from whimbrel.core.record import Record
from whimbrel.core.spam import DomainScores, UserScores
from whimbrel.flow.assessment import Action, Assessment, Finding, Symbol
from whimbrel.flow.judging.filter import refuse
from whimbrel.flow.judging.rating import UNSUSPECTED, Rater, Rating, RatingSettings
from whimbrel.flow.transaction import Answers
from whimbrel.mail.writing.changes import AddField, AddText, MarkSubject, RemoveFields

ALICE = account("alice@example.test")
FULL = RatingSettings(mark_score=3, junk_score=5, block_score=10, subject_mark="**spam**")


def known(**findings: Finding) -> Assessment:
    made = Assessment()
    made.own = {name.replace("_", "-"): finding for name, finding in findings.items()}
    return made


def points(score: float) -> Finding:
    return Finding((Symbol("POINTS", score, "Because"),))


def rated(assessment: Assessment, settings: RatingSettings = FULL) -> Rating:
    return Rater(FakeConfig(settings)).rate(assessment, ALICE)


@pytest.mark.parametrize(
    ("score", "action"),
    [(-5, 0), (2.9, Action.ACCEPT), (3, Action.MARK), (5, Action.JUNK), (9.9, Action.JUNK), (10, Action.REFUSE)],
)
def test_the_score_decides_by_thresholds(score: float, action: Action) -> None:
    rating = rated(known(a=points(score)))
    assert rating.action is Action(action) and rating.score == score
    assert rating.rule == ("score" if action else "")


@pytest.mark.parametrize(
    ("block", "action"),
    [("refuse", Action.REFUSE), ("quarantine", Action.QUARANTINE), ("discard", Action.DISCARD)],
)
def test_what_blocking_means_is_set(block: str, action: Action) -> None:
    settings = FULL.model_copy(update={"block": block})
    assert rated(known(a=points(10)), settings).action is action


def test_a_threshold_of_zero_is_never_reached() -> None:
    off = RatingSettings(junk_score=0)
    assert rated(known(a=points(10_000)), off).action is Action.ACCEPT


def test_a_filter_demands_more_than_the_score_and_never_less() -> None:
    rating = rated(known(a=points(1), virus=NO))
    assert (rating.action, rating.rule, rating.reply) == (Action.REFUSE, "virus", NO.reply)
    assert rated(known(a=points(10), b=Finding(action=Action.JUNK))).rule == "score"
    assert rated(known(a=points(4), b=Finding(action=Action.JUNK))).action is Action.JUNK


def test_a_waiver_takes_points_away_and_no_other_filters_action() -> None:
    waived = known(a=points(100), allow=Finding(waives=True))
    assert rated(waived).action is Action.ACCEPT
    waived.own["virus"] = NO
    assert rated(waived).action is Action.REFUSE


def test_all_of_the_chain_counts_and_what_is_nothing_is_not_rated() -> None:
    session = known(connect=points(2))
    recipient = Assessment(Assessment(session))
    recipient.own["rcpt"] = points(3)
    assert rated(recipient).score == 5 and rated(session).score == 2
    assert rated(Assessment(Assessment())) is UNSUSPECTED


@pytest.mark.parametrize(
    ("own", "domain", "score", "action"),
    [
        (8.0, None, 6, Action.MARK),
        (2.0, None, 2, Action.JUNK),
        (0.0, None, 9, Action.MARK),
        (None, DomainScores(junk_score=8.0), 6, Action.MARK),
        (2.0, DomainScores(junk_score=8.0), 4, Action.JUNK),
        (None, DomainScores(block_score=6.0), 6, Action.REFUSE),
        (None, DomainScores(block_score=0.0), 100, Action.JUNK),
        (1000.0, None, 12, Action.REFUSE),  # What is blocked is not an owner's matter.
    ],
)
def test_thresholds_are_the_owners_or_the_domains_or_the_servers(
    own: float | None, domain: DomainScores | None, score: float, action: Action
) -> None:
    whose = replace(ALICE, record=Record(None, UserScores(own)), domain_record=Record(None, domain or DomainScores()))
    rater = Rater(FakeConfig(FULL))
    assert rater.rate(known(a=points(score)), whose).action is action
    assert rater.rate(known(a=points(6)), None).action is Action.JUNK  # What leaves has the server's.


REFUSE, DEFER = Rating(Action.REFUSE, "virus", NO.reply), Rating(Action.DEFER, "grey")
TAKE = Rating()


def agreed(
    *ratings: Rating, answers: Answers = Answers.ONE, quarantine: bool = False, groups: list[int] | None = None
) -> list[Action]:
    rater = Rater(FakeConfig(RatingSettings(quarantine=quarantine)))
    return [rating.action for rating in rater.agree(ratings, answers, groups)]


def test_one_answer_refuses_only_what_all_refuse() -> None:
    assert agreed(REFUSE, REFUSE) == [Action.REFUSE] * 2
    assert agreed(REFUSE, TAKE) == [Action.JUNK, Action.ACCEPT]
    assert agreed(REFUSE, TAKE, quarantine=True) == [Action.QUARANTINE, Action.ACCEPT]
    assert agreed(DEFER, TAKE) == [Action.JUNK, Action.ACCEPT]
    assert agreed(TAKE, TAKE) == [Action.ACCEPT] * 2


def test_while_one_defers_all_that_refuse_wait_with_it() -> None:
    assert agreed(REFUSE, DEFER) == [Action.DEFER] * 2


def test_each_recipient_is_answered_where_that_can_be_but_not_each_mailbox_of_a_group() -> None:
    assert agreed(REFUSE, TAKE, answers=Answers.EACH, groups=[1, 2]) == [Action.REFUSE, Action.ACCEPT]
    assert agreed(REFUSE, TAKE, REFUSE, answers=Answers.EACH, groups=[1, 1, 2]) == [
        Action.JUNK,
        Action.ACCEPT,
        Action.REFUSE,
    ]


def test_where_nobody_hears_it_nothing_is_refused_and_a_virus_never_goes_to_junk() -> None:
    virus = Rating(Action.REFUSE, "virus", NO.reply, Action.QUARANTINE)
    discarded = Rating(Action.REFUSE, "virus", NO.reply, Action.DISCARD)
    nobody = Answers.NOBODY
    assert agreed(REFUSE, REFUSE, answers=nobody) == [Action.JUNK] * 2
    assert agreed(REFUSE, answers=nobody, quarantine=True) == [Action.QUARANTINE]
    assert agreed(virus, discarded, answers=nobody) == [Action.QUARANTINE, Action.DISCARD]
    assert agreed(virus, TAKE) == [Action.QUARANTINE, Action.ACCEPT]


def test_a_refusal_says_what_is_unheard() -> None:
    finding = refuse(550, "5.7.1", "A virus", unheard=Action.QUARANTINE)
    assert rated(known(virus=finding)).unheard is Action.QUARANTINE


def test_a_junked_message_is_marked_in_its_fields_and_its_subject() -> None:
    rater = Rater(FakeConfig(FULL))
    footer = AddText("footer")
    assessment = known(a=points(4.5), b=Finding((Symbol("FRIEND", -0.5), Symbol("LIST:x y", 1.25)), changes=(footer,)))
    rating = rater.rate(assessment, ALICE)
    assert rater.changes(rating) == (
        footer,
        RemoveFields(b"x-spam-*"),
        AddField(b"X-Spam-Flag: YES\r\n"),
        AddField(b"X-Spam-Status: Yes, score=5.2 required=5.0 tests=POINTS=4.5, LIST:x_y=1.25,\r\n FRIEND=-0.5\r\n"),
        MarkSubject("**spam**"),
    )


def test_a_message_that_is_well_has_its_score_in_a_field_and_no_mark() -> None:
    rater = Rater(FakeConfig(FULL))
    rating = rater.rate(known(a=points(1)), ALICE)
    assert rater.changes(rating) == (
        RemoveFields(b"x-spam-*"),
        AddField(b"X-Spam-Status: No, score=1.0 required=5.0 tests=POINTS=1\r\n"),
    )
    assert rater.changes(UNSUSPECTED) == ()
    only_text = rater.rate(known(a=Finding(changes=(AddText("footer"),))), ALICE)
    assert rater.changes(only_text) == (AddText("footer"),)


def test_junk_without_points_names_its_rule() -> None:
    rater = Rater(FakeConfig())
    rating = rater.rate(known(custom_rules=Finding(action=Action.JUNK)), ALICE)
    assert AddField(b"X-Spam-Status: Yes, score=0.0 required=5.0 tests=custom-rules\r\n") in rater.changes(rating)


def test_a_symbol_cannot_break_out_of_the_field() -> None:
    rater = Rater(FakeConfig())
    rating = rater.rate(known(a=Finding((Symbol("A\r\nBcc: x@y.test", 1.0),))), ALICE)
    (_, field) = rater.changes(rating)
    assert isinstance(field, AddField) and field.raw.count(b"\r\n") == 1


def test_the_answer_of_a_score_is_a_refusal_for_good() -> None:
    reply = rated(known(a=points(10))).reply
    assert isinstance(reply, MailError) and reply.code == 550 and reply.enhanced == "5.7.1"
