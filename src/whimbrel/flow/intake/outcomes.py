"""How it went for each recipient, in one reply or in one for each, and what its sender is told by a report.

Standards: RFC 5321 4.2, 6.1; RFC 2033 4.2 (a reply for each recipient); RFC 3461 5.2 (reports)
"""

from whimbrel.core.envelope import Notify, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.queue import RecipientState
from whimbrel.flow.intake.plan import Plan
from whimbrel.flow.intake.records import status
from whimbrel.flow.report.reports import RecipientStatus
from whimbrel.flow.transaction import Result, Transaction


def conclude(tx: Transaction, plan: Plan) -> None:
    """Leaves with each addressee the error with which everything it stands for failed. What fails in part is reported,
    unless it is only temporary: then the client must try again, at the price of a second copy. MailError: one reply
    stands for all recipients, and is this refusal."""
    if not plan.failed:
        return
    fresh: list[MailError] = []
    for to in tx.addressees:
        if to.error is not None:
            continue
        boxes = [plan.mailboxes[local.account.id] for local in to.expansion.local]
        errors = [None if box.taken else box.error for box in boxes]
        errors += [plan.remote_error] * bool(to.expansion.remote)
        temporary = next((error for error in errors if error is not None and error.temporary), None)
        to.error = temporary or (errors[0] if errors and all(error is not None for error in errors) else None)
        if to.error is not None:
            fresh.append(to.error)
    if tx.per_recipient or not fresh:
        return
    for error in fresh:
        if error.temporary:
            raise error
    if all(to.error is not None for to in tx.addressees):
        raise fresh[0]


def result(tx: Transaction) -> Result:
    """Where one reply stands for all, it is that they were taken: who failed is reported."""
    if not tx.per_recipient:
        return Result(tx.queue_id, (None,) * len(tx.addressees))
    return Result(tx.queue_id, tuple(to.error for to in tx.addressees))


def reported(tx: Transaction, plan: Plan) -> list[RecipientStatus]:
    """What went wrong for a part of the recipients after all; and what went well, where that is asked for."""
    each = tx.per_recipient
    statuses = [] if each else [_failure(to.recipient, to.recipient, to.error) for to in plan.declined if to.error]
    for to in tx.addressees:
        if to.error is not None and (each or to in plan.declined):
            continue  # The client knows, and tells; or it stands above.
        recipient, expansion = to.recipient, to.expansion
        for member in expansion.unreachable:
            statuses.append(_failure(Recipient(member.address), recipient, member.error))
        for local in expansion.local:
            mailbox = plan.mailboxes[local.account.id]
            if mailbox.addressee is to and not mailbox.taken and mailbox.error is not None:
                statuses.append(_failure(Recipient(local.account.address), recipient, mailbox.error))
        if Notify.SUCCESS in recipient.notify and expansion.several:
            statuses.append(RecipientStatus(recipient, RecipientState.DELIVERED, "2.1.5 Expanded", expanded=True))
        elif Notify.SUCCESS in recipient.notify:
            statuses += [
                RecipientStatus(recipient, RecipientState.DELIVERED, "2.1.5 Delivered")
                for local in expansion.local
                if plan.mailboxes[local.account.id].folders
            ][:1]
    return [each for each in statuses if Notify.NEVER not in each.recipient.notify]


def _failure(final: Recipient, envelope: Recipient, error: MailError) -> RecipientStatus:
    """About the address that failed, under the wishes given for the recipient of the envelope."""
    orcpt = envelope.orcpt
    if not orcpt and final.address != envelope.address:  # Else its sender would not know what it has to do with him.
        orcpt = f"{'rfc822' if envelope.address.ascii else 'utf-8'};{envelope.address}"
    about = Recipient(final.address, envelope.notify, orcpt)
    wanted = not about.notify or Notify.FAILURE in about.notify
    if not wanted:
        about = Recipient(about.address, frozenset({Notify.NEVER}), about.orcpt)
    return RecipientStatus(about, RecipientState.FAILED, status(error))
