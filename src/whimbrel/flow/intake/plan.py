"""Where all recipients of a transaction lead: each mailbox here, and each address elsewhere, once.

Standards: RFC 5321 6.3 (loops), RFC 3461 5.2.7.3 (NOTIFY of an expanded group), RFC 9228 (Delivered-To)
"""

from typing import Final

from whimbrel.core.address import Address
from whimbrel.core.directory import Account
from whimbrel.core.disposition import Changes, Disposition
from whimbrel.core.envelope import Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.queue import QueueRecipient
from whimbrel.flow.delivery.local import Filed
from whimbrel.flow.judging.rating import UNSUSPECTED
from whimbrel.flow.transaction import Addressee, Transaction
from whimbrel.mail.writing.trace import delivered_to

MAX_COPIES: Final = 50
"""Aliases and forwardings of one transaction whose copies bear Delivered-To, which costs a file for each."""


def onward_notify(notify: frozenset[Notify]) -> frozenset[Notify]:
    """What members of a group are sent on with: its sender is told once, that it was expanded. RFC 3461 5.2.7.3"""
    if Notify.SUCCESS not in notify:
        return notify
    return notify - {Notify.SUCCESS} or frozenset({Notify.NEVER})


class Mailbox:
    """One mailbox of the transaction and how it went: `error` None and not `queued` is delivered."""

    __slots__ = (
        "account",
        "addressee",
        "changes",
        "disposition",
        "error",
        "folders",
        "moved",
        "queued",
        "rating",
        "recipient",
        "rest",
    )

    def __init__(self, account: Account, addressee: Addressee) -> None:
        self.account, self.addressee, self.recipient = account, addressee, addressee.recipient
        """`addressee`: the first of the envelope that leads here."""
        self.rating = UNSUSPECTED
        self.changes: Changes = ()
        """Edits of the copy for this mailbox, whatever folder it goes to."""
        self.disposition: Disposition | None = None
        self.rest: Disposition | None = None
        """Places that have not got their copy."""
        self.folders: tuple[str, ...] = ()
        """Names of those that have it."""
        self.error: MailError | None = None
        self.queued = False
        self.moved = False

    def place(self, what: Disposition, *, queued: bool) -> None:
        """What becomes of the message here. `queued`: the queue does it."""
        self.disposition, self.error = what, what.refusal
        if what.places and what.refusal is None:
            self.rest = what if not (what.side or what.parked) else Disposition(what.places, rule=what.rule)
            self.queued = queued

    def take(self, filed: Filed) -> None:
        """How storing it went."""
        self.folders += filed.folders
        self.rest, self.error, self.moved = filed.rest, filed.error, filed.moved

    @property
    def several(self) -> bool:
        """The recipient leads elsewhere too."""
        return self.addressee.expansion.several

    @property
    def taken(self) -> bool:
        return self.error is None or self.queued


class Plan:
    """Addressees that have an error already are left out: `declined`."""

    __slots__ = (
        "_entries",
        "_side",
        "copies",
        "declined",
        "judged",
        "mailboxes",
        "rating",
        "remote",
        "remote_changes",
        "remote_error",
    )

    def __init__(self, tx: Transaction) -> None:
        self._entries = self._side = 0
        self.judged = False
        """Filters had something to say: the ratings say what."""
        self.rating = UNSUSPECTED
        self.remote_changes: Changes = ()
        """Of what goes to other servers: its rating, and its edits."""
        self.mailboxes: dict[AccountId, Mailbox] = {}
        self.remote: dict[str, QueueRecipient] = {}
        self.copies: dict[tuple[Address, ...], dict[str, QueueRecipient]] = {}
        """What addresses of ours send on, by those addresses: a copy says by Delivered-To where it has been."""
        self.remote_error: MailError | None = None
        self.declined: list[Addressee] = []
        going: set[str] = set()
        for to in tx.addressees:
            if to.error is not None:
                self.declined.append(to)
                continue
            recipient, expansion = to.recipient, to.expansion
            for local in expansion.local:
                account = local.account
                if account.id not in self.mailboxes:
                    self.mailboxes[account.id] = Mailbox(account, to)
            if not expansion.remote:
                continue
            notify = onward_notify(recipient.notify) if expansion.several else recipient.notify
            for remote in expansion.remote:
                if remote.address.key not in going:
                    going.add(remote.address.key)
                    onward = self.remote if expansion.relayed else self._copy(remote.through)
                    onward[remote.address.key] = QueueRecipient(Recipient(remote.address, notify, recipient.orcpt))

    def _copy(self, through: tuple[Address, ...]) -> dict[str, QueueRecipient]:
        """Those who share a copy that came through these addresses, or at least through the recipient's."""
        for way in (through, through[:1]):
            if len(self.copies) < MAX_COPIES or way in self.copies:
                return self.copies.setdefault(way, {})
        return self.remote

    @property
    def onward(self) -> list[tuple[bytes, tuple[QueueRecipient, ...]]]:
        """What goes to other servers: fields to put in front, and recipients, for each entry of the queue."""
        entries = [(b"", tuple(self.remote.values()))] if self.remote else []
        for way, some in self.copies.items():
            if some:
                entries.append((b"".join(map(delivered_to, reversed(way))), tuple(some.values())))
        return entries

    def next_id(self, tx: Transaction) -> str:
        """Of one more entry of the queue with this message; the first has the id of the transaction."""
        self._entries += 1
        return tx.queue_id if self._entries == 1 else f"{tx.queue_id}.{self._entries}"

    def side_id(self, tx: Transaction) -> str:
        """Of a message that comes of this one."""
        self._side += 1
        return f"{tx.queue_id}.s{self._side}"

    @property
    def failed(self) -> bool:
        """For anybody, in whole or in part."""
        if self.remote_error is not None:
            return True
        for mailbox in self.mailboxes.values():  # noqa: SIM110 - twice for each message; `any` is a call for each box.
            if mailbox.error is not None and not mailbox.queued:
                return True
        return False
