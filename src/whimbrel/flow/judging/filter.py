"""What a filter is: one reason to want or not to want a message.

A filter returns a `Finding`; it never touches session, message or another filter. One that cannot answer raises
MailError, or has not ended by its deadline: it is passed over, unless its settings say `when-down defer`. To add one,
write a file here in `filters/` with the filter and its settings, and name it in the table `filters/__init__.py`.
"""

from typing import ClassVar, Literal

from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.settings import Section, setting
from whimbrel.core.values import Duration
from whimbrel.flow.assessment import EVERYBODY, Action, Assessment, Fact, Finding, Peer, Stage
from whimbrel.flow.judging.ports import FilterPorts
from whimbrel.flow.transaction import Transaction


class WaitingSettings(Section):
    """What the settings of each filter that waits for others begin with."""

    deadline: Duration = setting(
        Duration("10s"), minimum=1, maximum=300, help="Longest time it may take for a message.", advanced=True
    )
    when_down: Literal["pass", "defer"] = setting(
        "pass", help="What becomes of mail while it gives no answer: it goes past the filter, or is deferred (451)."
    )


class Filter:
    """Base of all filters: a subclass has its stage, whose mail it judges, and `check`. Made once in a process. Those
    of a stage run at the same time, but for one that needs facts: after all that may give them."""

    name: ClassVar[str]
    """In logs, headers and health: lower case with hyphens; no other has it."""
    stage: ClassVar[Stage]
    peers: ClassVar[frozenset[Peer]] = EVERYBODY
    """Whose mail it judges."""
    settings: ClassVar[type[Section] | None] = None
    """Its section of the configuration, below `filters`: a `WaitingSettings` if it waits for others."""
    gives: ClassVar[frozenset[type[Fact]]] = frozenset()
    needs: ClassVar[frozenset[type[Fact]]] = frozenset()

    def __init__(self, ports: FilterPorts) -> None:
        self.ports = ports

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        """MailError: it cannot answer now. `tx` has no sender before MAIL and no content before DATA; stage RCPT is
        about `tx.trying`, MAILBOX about `account`, which is None else."""
        raise NotImplementedError

    async def concluded(self, tx: Transaction, known: Assessment, action: Action) -> None:
        """After the barrier, or the refusal: hits, reputation, training, reports. Nobody waits for it, the content is
        closed, and losing it must be harmless. Only a filter that has this is called, once for each outcome that the
        message had."""


class QuickFilter(Filter):
    """One that waits for nothing: a subclass has `look` in place of `check`. It needs no task and no deadline."""

    def look(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        """As `check`."""
        raise NotImplementedError

    async def check(self, tx: Transaction, known: Assessment, account: Account | None) -> Finding:
        return self.look(tx, known, account)


def refuse(code: int, enhanced: str, text: str, *, detail: str = "", unheard: Action = Action.JUNK) -> Finding:
    """The message (or recipient) is not taken: 4xx defers, 5xx refuses."""
    reply = MailError(code, enhanced, text, detail=detail)
    return Finding(action=Action.DEFER if reply.temporary else Action.REFUSE, reply=reply, unheard=unheard)
