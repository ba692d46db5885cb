"""Handlers of GETQUOTA and GETQUOTAROOT. An account is a quota root, if it has a limit, and so is its domain.

Standards: RFC 9208 3.1, 4.1, 4.2
"""

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import Limit, Usage
from whimbrel.protocols.imap import quota as grammar
from whimbrel.protocols.imap import responses
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done

UNIT = 1024
"""RFC 9208 5.1: STORAGE counts in units of 1024 octets."""


def _line(root: bytes, limit: Limit, usage: Usage) -> bytes:
    resources: list[tuple[bytes, int, int]] = []
    if limit.bytes:
        # Rounded up, so that what is full never looks as if there were room.
        resources.append((b"STORAGE", -(-usage.bytes // UNIT), limit.bytes // UNIT))
    if limit.messages:
        resources.append((b"MESSAGE", usage.messages, limit.messages))
    return responses.quota(root, resources)


async def get_quota(session: Session, command: grammar.GetQuota) -> Done:
    quota = (await session.quotas()).get(command.root)
    if quota is None:
        raise MailboxError(Condition.NONEXISTENT, "No such quota root")
    await session.untagged(_line(command.root, *quota))
    return done(command)


async def get_quota_root(session: Session, command: grammar.GetQuotaRoot) -> Done:
    # Also for a mailbox that is still to be made: all have the same roots. RFC 9208 4.1.2
    roots = await session.quotas()
    await session.untagged(responses.quota_roots(session.mailbox(command.mailbox), roots))
    for root, (limit, usage) in roots.items():
        await session.untagged(_line(root, limit, usage))
    return done(command)


OFFER = Offer(
    handlers=dict((serves(grammar.GetQuota, get_quota), serves(grammar.GetQuotaRoot, get_quota_root))),
    capabilities=(b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE"),
)
