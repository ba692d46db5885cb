"""Follows a recipient through aliases, groups and forwardings to mailboxes here and addresses elsewhere.

Bounded in depth and number; an address is followed once, so that a circle ends, and one that leads nowhere but back
to itself is refused.

Standards: RFC 5321 3.9 (aliases and lists), 6.3 (loops), RFC 3463 3.5 (X.4.6)
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Directory, TargetKind
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.flow.routing import RULES
from whimbrel.flow.routing.route import Expansion, Local, Onward, Remote, Step, Unreachable
from whimbrel.flow.routing.rules import Lookup

MAX_DEPTH: Final = 20
MAX_MEMBERS: Final = 1000

Way = tuple[Address, ...]
"""Addresses that were followed to a step, each of which sends mail on."""


@dataclass(frozen=True, slots=True)
class Followed:
    """One address that was followed, and what the rules made of it."""

    address: Address
    way: Way
    """Addresses that led here, the recipient's first; empty for the recipient itself."""
    rule: str
    """Name of the routing rule that answered."""
    kind: TargetKind | None
    """What the directory has of this address."""
    step: Step | None
    error: MailError | None = None
    """Why it gets nothing; then there is no step."""


Note = Callable[[Followed], None]


@dataclass(frozen=True, slots=True)
class Explanation:
    """How an address resolves: each step, and what comes of it, or why it is refused."""

    followed: tuple[Followed, ...]
    expansion: Expansion | None
    error: MailError | None = None


class Router:
    def __init__(self, directory: Directory, config: ConfigStore) -> None:
        self._directory, self._config = directory, config

    async def route(self, recipient: Address, local_ip: str, note: Note | None = None) -> Expansion:
        """All that `recipient` stands for. MailError: it is refused, or cannot be told now. `note` hears of each
        address that is followed."""
        step = await self._step(recipient, local_ip, (), note)
        if isinstance(step, Local):
            return Expansion(local=(step,))
        if isinstance(step, Remote):
            return Expansion(remote=(step,), relayed=True)
        return await self._expand(recipient, step, local_ip, note)

    async def explain(self, recipient: Address, local_ip: str = "") -> Explanation:
        """What `route` does with an address, step by step. MailError: it cannot be told now."""
        followed: list[Followed] = []
        try:
            expansion = await self.route(recipient, local_ip, followed.append)
            return Explanation(tuple(followed), expansion)
        except MailError as error:
            if error.temporary:
                raise
            return Explanation(tuple(followed), None, error)

    async def _step(self, address: Address, local_ip: str, way: Way, note: Note | None) -> Step:
        at = Lookup(address, local_ip, self._directory, self._config)
        for rule in RULES:
            try:
                step = await rule(at)
            except MailError as error:
                if note is not None and not error.temporary:
                    note(Followed(address, way, rule.__name__, at.kind, None, error))
                raise
            if step is not None:
                if note is not None:
                    note(Followed(address, way, rule.__name__, at.kind, step))
                return step
        raise AssertionError("the last rule refuses")

    async def _expand(self, recipient: Address, first: Step, local_ip: str, note: Note | None) -> Expansion:
        local: dict[AccountId, Local] = {}
        remote: dict[str, Remote] = {}
        unreachable: list[Unreachable] = []
        via: list[str] = []
        seen = {recipient.key}
        waiting: list[tuple[Step, int, Way]] = [(first, 0, (recipient,))]
        while waiting:
            step, depth, way = waiting.pop()
            if isinstance(step, Local):
                local.setdefault(step.account.id, Local(step.account, way))
                continue
            if isinstance(step, Remote):
                remote.setdefault(step.address.key, Remote(step.address, way))
                continue
            if depth >= MAX_DEPTH:
                raise MailError(554, "5.4.6", "Aliases are nested too deep", detail=step.name)
            via.append(step.name)
            if step.account is not None:
                if step.account.address.key != way[-1].key:  # Called by a further name, or with a tag.
                    way = (*way, step.account.address)
                if step.keeps:
                    local.setdefault(step.account.id, Local(step.account, way))
            following: list[tuple[Step, int, Way]] = []
            for member in step.members:
                if member.key in seen:
                    continue
                seen.add(member.key)
                if len(seen) > MAX_MEMBERS + 1:
                    raise MailError(554, "5.2.4", "This address stands for too many recipients", detail=step.name)
                try:
                    reached = await self._step(member, local_ip, way, note)
                    following.append((reached, depth + 1, (*way, member) if isinstance(reached, Onward) else way))
                except MailError as error:
                    if error.temporary:
                        raise
                    unreachable.append(Unreachable(member, error))
            waiting += reversed(following)  # In the order in which they are written.
        if not local and not remote:
            if unreachable:
                raise unreachable[0].error
            if isinstance(first, Onward) and not first.members:
                raise MailError(550, "5.1.1", "This address leads to nobody: it has no members", detail=", ".join(via))
            raise MailError(554, "5.4.6", "Mail loop: this address leads only to itself", detail=", ".join(via))
        return Expansion(
            tuple(local.values()),
            tuple(remote.values()),
            tuple(unreachable),
            via=tuple(dict.fromkeys(via)),
            own=isinstance(first, Onward) and first.keeps,
        )
