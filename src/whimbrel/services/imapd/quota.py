"""Handlers of GETQUOTA and GETQUOTAROOT. An account is one quota root, if it has a limit at all.

Standards: RFC 9208 3.1, 4.1, 4.2
"""

from whimbrel.core.errors import Condition, MailboxError
from whimbrel.protocols.imap import quota as grammar
from whimbrel.protocols.imap.encode import parenthesised
from whimbrel.protocols.imap.engine import Done
from whimbrel.services.imapd.offer import Offer, serves
from whimbrel.services.imapd.session import Session, done

ROOT = b"account"
UNIT = 1024
"""RFC 9208 5.1: STORAGE counts in units of 1024 octets."""


async def _quota(session: Session) -> bytes:
    """The QUOTA response behind `* `; empty without limits."""
    account = session.account
    if account is None or not (account.quota_bytes or account.quota_messages):
        return b""
    usage = await session.ports.folders.usage(account.id)
    resources: list[bytes] = []
    if account.quota_bytes:
        # Rounded up, so that what is full never looks as if there were room.
        resources.append(b"STORAGE %d %d" % (-(-usage.bytes // UNIT), account.quota_bytes // UNIT))
    if account.quota_messages:
        resources.append(b"MESSAGE %d %d" % (usage.messages, account.quota_messages))
    return b"QUOTA %b %b" % (ROOT, parenthesised(resources))


async def get_quota(session: Session, command: grammar.GetQuota) -> Done:
    line = await _quota(session)
    if command.root != ROOT or not line:
        raise MailboxError(Condition.NONEXISTENT, "No such quota root")
    await session.untagged(line)
    return done(command)


async def get_quota_root(session: Session, command: grammar.GetQuotaRoot) -> Done:
    folder = await session.folder(command.mailbox)
    line = await _quota(session)
    await session.untagged(b"QUOTAROOT %b%b" % (session.mailbox(folder.name), b" " + ROOT if line else b""))
    if line:
        await session.untagged(line)
    return done(command)


OFFER = Offer(
    handlers=dict((serves(grammar.GetQuota, get_quota), serves(grammar.GetQuotaRoot, get_quota_root))),
    capabilities=(b"QUOTA", b"QUOTA=RES-STORAGE", b"QUOTA=RES-MESSAGE"),
)
