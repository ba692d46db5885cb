"""What happens to a judged message at each mailbox, and to what goes on to other servers.

The findings of the session, the transaction and the recipient come together here; filters of the stage MAILBOX add
what each owner has of his own. The rating makes an action of it, as far as whoever brought the message can hear it. A
message that no filter had anything to say about passes at once.
"""

import asyncio
from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.flow.assessment import Action, Assessment, Stage
from whimbrel.flow.intake.keeping import kept
from whimbrel.flow.intake.plan import Mailbox, Plan
from whimbrel.flow.intake.records import Records, status
from whimbrel.flow.judging.policy import Judgement, Policy
from whimbrel.flow.judging.rating import UNSUSPECTED, Rater, Rating
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.transaction import Answers, Transaction

TOGETHER: Final = 20
"""Mailboxes that filters which wait are asked about at the same time."""


class Unwanted(MailError):
    """The message is refused, or deferred, for what it is; `rule` decided."""

    def __init__(self, error: MailError | None, rule: str) -> None:
        error = error or MailError(451, "4.7.1", "Try again later")
        super().__init__(error.code, error.enhanced, error.text, detail=error.detail)
        self.rule = rule


class Verdicts:
    def __init__(self, *, policy: Policy, rater: Rater, placement: Placement, records: Records) -> None:
        self._policy, self._rater, self._placement, self._records = policy, rater, placement, records

    def enforce(self, tx: Transaction, judgement: Judgement) -> None:
        """Unwanted, if the filters of one stage demand that the whole message is refused or deferred."""
        if judgement.action < Action.DEFER:
            return
        if tx.known:
            rating = Rating(judgement.action, judgement.rule, judgement.reply, known=tx.known, score=tx.known.score)
            self._refused(tx, rating)
        raise Unwanted(judgement.reply, judgement.rule)

    def keep(self, tx: Transaction) -> None:
        """Leaves what is known so far with the options of a message that the queue judges to its end."""
        if tx.known or tx.differs:
            findings = kept(tx, without=self._policy.names(Stage.DATA))
            tx.options = replace(tx.options, findings=findings)

    async def decide(self, tx: Transaction, plan: Plan) -> None:
        """Leaves a rating and the edits of its copy with each mailbox, and with what goes on; what is refused for a
        recipient, and can be heard, is left as its error. Unwanted: it is refused as a whole."""
        judging = self._policy.has(Stage.MAILBOX, tx.peer)
        if not (judging or tx.known.own or tx.known.parent or tx.differs):
            return
        plan.judged = True
        boxes = list(plan.mailboxes.values())
        ratings = await self._ratings(tx, boxes, judging=judging)
        groups: list[Hashable] = [id(box.addressee) for box in boxes]
        rated = UNSUSPECTED
        if plan.onward:
            rated = self._rater.rate(self._gravest(tx), None)
            ratings.append(rated)
            groups.append(plan)
        ratings = self._rater.agree(ratings, tx.answers, self._groups(tx, plan, groups))
        if tx.answers is Answers.ONE and ratings and all(rating.action >= Action.DEFER for rating in ratings):
            rating = min(ratings, key=lambda rating: rating.action)
            self._refused(tx, rating)
            raise Unwanted(rating.reply, rating.rule)
        if plan.onward:
            plan.rating = self._onward(tx, rated, ratings.pop())
            self._records.rated(tx, plan.rating, "")
            plan.remote_changes = self._rater.changes(plan.rating)
        for box, rating in zip(boxes, ratings, strict=True):
            box.rating, box.changes = rating, self._rater.changes(rating)
            self._records.rated(tx, rating, str(box.account.id))
        self._record(tx, plan)
        self._leave_out(tx, plan)

    def _groups(self, tx: Transaction, plan: Plan, groups: list[Hashable]) -> Sequence[Hashable]:
        """Which of the ratings have one answer. Where somebody leads to several places, or several lead to one, a
        refusal of one of them would be heard by the wrong one: all are one group then."""
        leading = [local.account.id for to in tx.addressees if to.error is None for local in to.expansion.local]
        mixed = any(to.expansion.local and to.expansion.remote for to in tx.addressees)
        return [0] * len(groups) if mixed or len(leading) > len(plan.mailboxes) else groups

    def _leave_out(self, tx: Transaction, plan: Plan) -> None:
        """What is refused or discarded leads nowhere any more; a refusal is the answer to its recipient."""
        refused = {id for id, box in plan.mailboxes.items() if box.rating.action >= Action.DEFER}
        onward = plan.rating.action
        for to in tx.addressees:
            if to.error is not None:
                continue
            rating = plan.rating
            here = [local.account.id for local in to.expansion.local]
            if here and refused.issuperset(here) and not to.expansion.remote:
                rating = plan.mailboxes[here[0]].rating
            elif here or not to.expansion.remote or onward < Action.DEFER:
                if to.expansion.remote and onward is Action.DISCARD:
                    self._records.sent(tx, to.recipient, "discarded", f"2.0.0 Discarded by {rating.rule}")
                continue
            to.error = Unwanted(rating.reply, rating.rule)
            self._records.sent(tx, to.recipient, "failed", status(to.error))
        for account in refused:
            del plan.mailboxes[account]
        self._placement.release({id: tx.reserved.pop(id) for id in refused if id in tx.reserved})
        if onward >= Action.DISCARD:
            plan.remote, plan.copies = {}, {}

    def concluded(self, tx: Transaction, plan: Plan) -> None:
        """After the barrier: filters learn of each outcome once."""
        if not self._policy.conclusions.wanted(tx.peer):
            return
        ratings = [box.rating for box in plan.mailboxes.values()]
        if plan.rating is not UNSUSPECTED or not ratings:
            ratings.append(plan.rating)
        outcomes = {(id(rating.known), rating.action): rating for rating in ratings}
        self._policy.conclusions.add(tx, [(rating.known or tx.known, rating.action) for rating in outcomes.values()])

    async def _ratings(self, tx: Transaction, boxes: Sequence[Mailbox], *, judging: bool) -> list[Rating]:
        if not (judging and self._policy.waits(Stage.MAILBOX, tx.peer)):
            return [await self._rating(tx, box, judging=judging) for box in boxes]
        ratings: list[Rating] = []
        for start in range(0, len(boxes), TOGETHER):
            some = boxes[start : start + TOGETHER]
            ratings += await asyncio.gather(*(self._rating(tx, box, judging=True) for box in some))
        return ratings

    async def _rating(self, tx: Transaction, box: Mailbox, *, judging: bool) -> Rating:
        known = box.addressee.known or tx.known
        if judging:
            own = Assessment(known)
            # Late: what the other stages found counts without it.
            await self._policy.judge(Stage.MAILBOX, tx, own, box.account, queued=tx.resumed is not None)
            if own.own:
                known = own
        return self._rater.rate(known, box.account)

    def _gravest(self, tx: Transaction) -> Assessment:
        """Of what is known of those who lead elsewhere: they share entries of the queue."""
        known = [to.known for to in tx.addressees if to.known is not None and to.error is None and to.expansion.remote]
        return max(known, key=lambda known: (known.gravest[1].action, known.score), default=tx.known)

    def _onward(self, tx: Transaction, rated: Rating, agreed: Rating) -> Rating:
        """There is no Junk elsewhere: what would have been refused, and what nobody can answer any more, waits for an
        administrator."""
        unheard = rated.action >= Action.DEFER > agreed.action
        if agreed.action <= Action.JUNK and (
            unheard or (tx.answers is Answers.NOBODY and agreed.action is Action.JUNK)
        ):
            return agreed.becoming(Action.QUARANTINE)
        return agreed

    def _refused(self, tx: Transaction, rating: Rating) -> None:
        self._records.judged(tx, rating)
        if self._policy.conclusions.wanted(tx.peer):
            self._policy.conclusions.add(tx, [(rating.known or tx.known, rating.action)])

    def _record(self, tx: Transaction, plan: Plan) -> None:
        """One line, but for recipients with which it goes otherwise."""
        alike: dict[tuple[object, ...], tuple[Rating, list[str]]] = {}
        for box in plan.mailboxes.values():
            rating = box.rating
            key = (rating.action, rating.rule, rating.score, rating.required)
            alike.setdefault(key, (rating, []))[1].append(str(box.account.address))
        if plan.onward:
            rating = plan.rating
            key = (rating.action, rating.rule, rating.score, rating.required)
            alike.setdefault(key, (rating, []))[1].extend(
                str(to.recipient.address) for _, tos in plan.onward for to in tos
            )
        for rating, addresses in alike.values():
            if rating is not UNSUSPECTED:
                self._records.judged(tx, rating, addresses if len(alike) > 1 else ())
