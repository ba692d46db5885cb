"""Deleting what lay in a folder for longer than a clean-out rule allows.

A message's age is the time since it was saved in its folder (RFC 8514), so moving it to Deleted Items begins anew.
It goes by the ordinary expunge: clients hear of it, and it can be restored like anything that was deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from whimbrel.core.cleanout import DAY, DELETED, JUNK, SENT, CleanOut, days_for
from whimbrel.core.cleanout import INBOX as INBOX_RULE
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELIMITER, INBOX, AccountId, Folder, Folders, Messages, SpecialUse
from whimbrel.core.uids import ALL, UidSet

STEP: Final = 500
"""Messages expunged in one piece of work: deliveries to the same account wait no longer than for that."""
_KINDS: Final = {SpecialUse.TRASH: DELETED, SpecialUse.JUNK: JUNK, SpecialUse.SENT: SENT}


@dataclass(frozen=True, slots=True)
class Cleaned:
    """What went from one folder, or would go."""

    folder: str
    messages: int


async def clean_out(
    folders: Folders,
    messages: Messages,
    account: AccountId,
    rules: Sequence[CleanOut],
    now: float,
    *,
    dry_run: bool = False,
) -> list[Cleaned]:
    """For one account. MailboxError: a folder cannot be changed now; what was deleted before stays deleted."""
    if not any(rule.days for rule in rules):
        return []
    present = await folders.list(account)
    kinds = {folder.name: _KINDS[folder.special_use] for folder in present if folder.special_use in _KINDS}
    done: list[Cleaned] = []
    for folder in present:
        days = days_for(rules, _kind(folder, kinds))
        if not days or not folder.selectable:
            continue
        try:
            saved = await messages.save_dates(folder.ref, ALL)
            limit = now - days * DAY
            old = [uid for uid, when in saved if 0 < when < limit]
            count = len(old) if dry_run else await _expunge(messages, folder, old)
        except MailboxError as error:
            if error.condition is Condition.NONEXISTENT:
                continue  # Deleted by its user meanwhile.
            raise
        if count:
            done.append(Cleaned(folder.name, count))
    return done


async def _expunge(messages: Messages, folder: Folder, old: Sequence[int]) -> int:
    count = 0
    for start in range(0, len(old), STEP):
        gone = await messages.expunge(folder.ref, UidSet.of(old[start : start + STEP]), marked=False)
        count += len(gone.uids)
    return count


def _kind(folder: Folder, kinds: dict[str, str]) -> str:
    """A rule for Deleted Items is for the folders in it too: that is where clients put deleted folders."""
    if folder.name == INBOX:
        return INBOX_RULE
    levels = folder.name.split(DELIMITER)
    for length in range(len(levels), 0, -1):
        kind = kinds.get(DELIMITER.join(levels[:length]))
        if kind is not None:
            return kind
    return ""
