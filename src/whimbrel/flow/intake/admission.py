"""Whether a recipient is taken, and where its mail will go: the decision at RCPT.

Standards: RFC 5321 3.3, 3.6.2 (relaying), 4.5.3.1.8 (452 for too many recipients), RFC 3463 3.3, 3.8
"""

from dataclasses import replace
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.envelope import Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Origin
from whimbrel.flow.assessment import PEERS, Assessment, Peer, Stage
from whimbrel.flow.intake.records import Records
from whimbrel.flow.judging.policy import Policy
from whimbrel.flow.placement.placement import Placement
from whimbrel.flow.routing.relay import RelayDenied, allowed
from whimbrel.flow.routing.route import Expansion, Local, Unreachable
from whimbrel.flow.routing.router import Router
from whimbrel.flow.settings import SmtpSettings
from whimbrel.flow.transaction import Addressee, Transaction

MAX_DESTINATIONS: Final = 10_000
"""Mailboxes and addresses that all recipients of one transaction may stand for together."""


class Admission:
    def __init__(
        self, *, router: Router, placement: Placement, policy: Policy, config: ConfigStore, records: Records
    ) -> None:
        self._router, self._placement, self._policy = router, placement, policy
        self._config, self._records = config, records

    async def admit(self, tx: Transaction, recipient: Recipient) -> None:
        """Adds the recipient to the transaction; MailError says why not."""
        try:
            await self._admit(tx, recipient)
        except MailError as error:
            self._records.recipient_refused(tx, recipient, error)
            raise

    async def readmit(self, tx: Transaction, recipient: Recipient) -> None:
        """A recipient of a message from our queue, admitted once already; with an error if it leads nowhere any
        more."""
        try:
            addressee = Addressee(recipient, await self._route(tx, recipient))
        except MailError as error:
            addressee = Addressee(recipient, Expansion(), error)
        tx.addressees.append(addressee)

    async def _admit(self, tx: Transaction, recipient: Recipient) -> None:
        if len(tx.addressees) >= self._config.section(SmtpSettings).max_recipients:
            raise MailError(452, "4.5.3", "Too many recipients")
        expansion = await self._route(tx, recipient)
        if expansion.relayed and not self._may_relay(tx):
            raise RelayDenied()
        destinations = tx.destinations + len(expansion.local) + len(expansion.remote)
        if destinations > MAX_DESTINATIONS:
            raise MailError(452, "4.5.3", "Too many recipients")
        if expansion.local:
            expansion = await self._with_room(tx, expansion)
        tx.trying = addressee = Addressee(recipient, expansion)
        if self._policy.has(Stage.RCPT, tx.peer):
            known = Assessment(tx.known)
            judgement = await self._policy.judge(Stage.RCPT, tx, known)
            judgement.enforce()
            if known.own:
                addressee.known, tx.differs = known, True
        tx.addressees.append(addressee)
        tx.destinations = destinations

    async def _route(self, tx: Transaction, recipient: Recipient) -> Expansion:
        note = self._records.following(tx, recipient)
        return await self._router.route(recipient.address, tx.client.local_ip, note)

    def _may_relay(self, tx: Transaction) -> bool:
        if tx.trusted:
            return True
        return tx.peer is Peer.NETWORK

    async def _with_room(self, tx: Transaction, expansion: Expansion) -> Expansion:
        """Without the mailboxes that cannot take the message. MailError if nobody is left."""
        size = tx.size
        if tx.origin is Origin.INTERNAL and tx.sender is None:
            # Reports of ours, and the warning that a mailbox is nearly full, reach it although it is full.
            return expansion
        if len(expansion.local) == 1 and not expansion.remote:
            await self._placement.check(expansion.local[0].account, size, tx.reserved)
            return expansion
        kept: list[Local] = []
        full: list[Unreachable] = []
        for local in expansion.local:
            try:
                await self._placement.check(local.account, size, tx.reserved)
                kept.append(local)
            except MailError as error:
                full.append(Unreachable(local.account.address, _final(error)))
        if not kept and not expansion.remote:
            raise full[0].error
        if not full:
            return expansion
        return replace(expansion, local=tuple(kept), unreachable=(*expansion.unreachable, *full))


def peer_of(config: ConfigStore, origin: Origin, ip: str) -> Peer:
    """Who hands a message in."""
    if origin is Origin.INBOUND and allowed(config, ip):
        return Peer.NETWORK
    return PEERS[origin]


def _final(error: MailError) -> MailError:
    """A member of a group cannot be answered 4xx on its own: the sender is told that it failed."""
    if not error.temporary:
        return error
    return MailError(error.code + 100, f"5{error.enhanced[1:]}", error.text, detail=error.detail)
