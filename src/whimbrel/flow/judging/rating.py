"""From what is known of a message to what happens to it: at each mailbox, and where it leaves for other servers.

The score decides by thresholds: those of the mailbox's owner, else of the domain, else of the server. An owner moves
the line to Junk alone; what is not taken at all is decided by the domain or the server. A filter may demand more than
the score, never less. What is refused is refused only if that can be heard: SMTP has one answer for all recipients, so
some cannot be refused what others take. It goes to quarantine there where that is on, else to Junk.

Standards: RFC 5321 4.2 (one reply after the data), RFC 2033 4.2 (one for each), RFC 3463 3.8 (X.7.1)
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.settings import Section, setting
from whimbrel.core.spam import DomainScores, UserScores
from whimbrel.flow.assessment import Action, Assessment
from whimbrel.flow.transaction import Answers
from whimbrel.mail.writing.changes import AddField, Change, MarkSubject, RemoveFields
from whimbrel.mail.writing.compose import clean, fold


class RatingSettings(Section, tag="rating"):
    """What becomes of a message by the score that the filters give it."""

    mark_score: float = setting(
        0.0, minimum=0, maximum=1000, help="From this score on a message is marked as spam; 0: when it goes to Junk."
    )
    junk_score: float = setting(
        5.0,
        minimum=0,
        maximum=1000,
        help="From this score on a message goes to Junk, marked; 0: never. Domains and users may have their own.",
    )
    block_score: float = setting(
        0.0,
        minimum=0,
        maximum=1000,
        help="From this score on a message is blocked; 0: never. Domains may have their own.",
    )
    block: Literal["refuse", "quarantine", "discard"] = setting(
        "refuse", help="What blocking means: the sending server is refused, or the message is parked, or thrown away."
    )
    quarantine: bool = setting(
        False,
        help="Park a message that some of its recipients would refuse and others not; else it goes to Junk there.",
    )
    subject_mark: str = setting(
        "", help="Text put before the subject of a message that is marked, such as **spam**; empty: none."
    )


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Scores from which on it happens; 0: never."""

    mark: float
    junk: float
    block: float
    blocking: Action
    """What happens from `block` on."""

    def action(self, score: float) -> Action:
        if 0 < self.block <= score:
            return self.blocking
        if 0 < self.junk <= score:
            return Action.JUNK
        return Action.MARK if 0 < self.mark <= score else Action.ACCEPT


@dataclass(frozen=True, slots=True)
class Rating:
    """What happens to a message at one place."""

    action: Action = Action.ACCEPT
    rule: str = ""
    """The filter that decided, or `score`."""
    reply: MailError | None = None
    """The answer for DEFER and REFUSE."""
    unheard: Action = Action.JUNK
    """What REFUSE becomes where nobody hears it."""
    known: Assessment | None = None
    score: float = 0.0
    required: float = 0.0
    """The score from which on it would go to Junk."""

    @property
    def spam(self) -> bool:
        return self.action in _MARKED

    def becoming(self, action: Action) -> "Rating":
        """The same, with another end."""
        return replace(self, action=action, reply=None)


UNSUSPECTED: Final = Rating()
"""Of a message that no filter had anything to say about."""
_BLOCKING: Final = {"refuse": Action.REFUSE, "quarantine": Action.QUARANTINE, "discard": Action.DISCARD}
_MARKED: Final = frozenset({Action.MARK, Action.JUNK, Action.QUARANTINE})
_SHORT: Final = 20
_SHOWN: Final = 50
"""Symbols in a header field or a line of the log."""


class Rater:
    """Makes ratings by the settings in use."""

    def __init__(self, config: ConfigStore) -> None:
        self._config = config

    def thresholds(self, account: Account | None) -> Thresholds:
        """Of a mailbox: its owner's, else the domain's, else the server's. None: of what leaves for other servers."""
        settings = self._config.section(RatingSettings)
        junk, block = settings.junk_score, settings.block_score
        if account is not None:
            domain = account.domain_part(DomainScores)
            own = account.part(UserScores).junk_score
            own = domain.junk_score if own is None else own
            junk = junk if own is None else own
            block = block if domain.block_score is None else domain.block_score
        return Thresholds(settings.mark_score, junk, block, _BLOCKING[settings.block])

    def rate(self, known: Assessment, account: Account | None) -> Rating:
        """What the findings demand at a mailbox, or (None) where the message leaves for other servers."""
        if not known:
            return UNSUSPECTED
        thresholds, score = self.thresholds(account), known.score
        rule, finding = known.gravest
        action, reply = thresholds.action(score), None
        if action > finding.action:
            rule = "score"
            if action is Action.REFUSE:
                reply = MailError(550, "5.7.1", "The message looks like spam", detail=f"score {score:g}")
        elif finding.action:
            action, reply = finding.action, finding.reply
        else:
            rule = ""
        unheard = finding.unheard if rule != "score" else Action.JUNK
        return Rating(action, rule, reply, unheard, known, score, thresholds.junk)

    def agree(
        self, ratings: Sequence[Rating], answers: Answers, groups: Sequence[Hashable] | None = None
    ) -> list[Rating]:
        """What happens where one answer stands for several. `groups` says for each rating which answer it is part of,
        where the client has one for each recipient; without, one is for all."""
        if all(rating.action < Action.DEFER for rating in ratings):
            return list(ratings)
        if answers is Answers.NOBODY:
            return [self._unheard(rating) for rating in ratings]
        if answers is Answers.ONE or groups is None:
            groups = [0] * len(ratings)
        taken = {group for group, rating in zip(groups, ratings, strict=True) if rating.action < Action.DEFER}
        deferred = {group for group, rating in zip(groups, ratings, strict=True) if rating.action is Action.DEFER}
        agreed = []
        for group, rating in zip(groups, ratings, strict=True):
            if group in taken:
                agreed.append(self._unheard(rating))
            elif group in deferred and rating.action is Action.REFUSE:
                # The client tries again, and by then perhaps all refuse.
                agreed.append(rating.becoming(Action.DEFER))
            else:
                agreed.append(rating)
        return agreed

    def _unheard(self, rating: Rating) -> Rating:
        if rating.action < Action.DEFER:
            return rating
        action = rating.unheard
        if action <= Action.JUNK and self._config.section(RatingSettings).quarantine:
            action = Action.QUARANTINE
        return rating.becoming(max(action, Action.JUNK))

    def changes(self, rating: Rating) -> tuple[Change, ...]:
        """What is changed in the copy of this place: by the filters first, then by the rating."""
        if rating.known is None:
            return ()
        changes = rating.known.changes
        symbols = rating.known.symbols
        if symbols or rating.spam:
            changes += (RemoveFields(b"x-spam-*"),)  # A sender's own say nothing, and a rule of a user may read ours.
            changes += tuple(AddField(field) for field in _fields(rating))
        mark = self._config.section(RatingSettings).subject_mark
        if rating.spam and clean(mark):
            changes += (MarkSubject(mark),)
        return changes


def _fields(rating: Rating) -> list[bytes]:
    """In the form of SpamAssassin, which other programs read."""
    verdict = "Yes" if rating.spam else "No"
    names = symbol_names(rating)
    tests = (", " if sum(map(len, names)) > _SHORT else ",").join(names) or "none"  # Folded at the blanks.
    fields = [fold(f"X-Spam-Status: {verdict}, score={rating.score:.1f} required={rating.required:.1f} tests={tests}")]
    if rating.spam:
        fields.insert(0, b"X-Spam-Flag: YES\r\n")
    return fields


def symbol_names(rating: Rating) -> list[str]:
    """`NAME=points`, the weightiest first; with the filter that decided, if it gave no points."""
    symbols = sorted(rating.known.symbols if rating.known is not None else (), key=lambda symbol: -abs(symbol.score))
    names = [f"{clean(symbol.name, 60).replace(' ', '_')}={symbol.score:g}" for symbol in symbols[:_SHOWN]]
    if not names and rating.rule:
        names.append(rating.rule)
    return names
