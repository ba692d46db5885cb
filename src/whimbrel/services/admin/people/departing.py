"""Users who have left, and whose day has come: they are removed, and a day later their mail is deleted for good.

The day between is for a clock that was wrong: nothing goes for good at the first look at it.
"""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import date
from typing import Final

from whimbrel.core.config import ConfigConflict, ConfigError
from whimbrel.core.directory import Entry, Kind
from whimbrel.core.errors import MailboxError, MailError
from whimbrel.core.listing import RecordQuery
from whimbrel.services.admin.calls import CallError
from whimbrel.services.admin.changes.audit import audited
from whimbrel.services.admin.context import AdminContext, Caller, need
from whimbrel.services.admin.people.lifecycle import Kept, remove_user
from whimbrel.services.admin.people.people import PAGE, address_of, value_of

DAY: Final = 86_400.0
_CALLER: Final = Caller("job departures", origin="this server")
_FAILURES: Final = (ConfigError, ConfigConflict, MailError, MailboxError, CallError, OSError)


class Departing:
    """The port Departures of the jobs."""

    def __init__(self, context: Callable[[], AdminContext]) -> None:
        self._context = context

    async def remove_due(self) -> Sequence[str]:
        """Removes users; their addresses. One that cannot be removed is tried again at the next round."""
        ctx = self._context()
        due = [user async for user in _due(ctx)]
        return [address_of(user) for user in due if await _removed(ctx, user)]

    async def purge_due(self) -> Sequence[str]:
        """Deletes the mail of removed users for good; whose it was."""
        ctx = self._context()
        mailboxes, gone = need(ctx.mailboxes, "The mail store"), list[str]()
        for each in await mailboxes.removed():
            values = Kept.read(each.record).values
            due = values.get("left") == "yes" and _reached(ctx, str(values.get("delete-on", "")))
            if not due or each.removed + DAY > ctx.clock.now():
                continue
            try:
                await mailboxes.purge(each.id)
            except _FAILURES as error:
                ctx.log.warning("directory.departed", account=each.account, action="purge", status=str(error))
                continue
            ctx.log.info("directory.departed", account=each.account, action="purge", status="done")
            gone.append(str(each.account))
        return gone


async def _removed(ctx: AdminContext, user: Entry) -> bool:
    try:
        await remove_user(audited(replace(ctx, caller=_CALLER)), user)
    except _FAILURES as error:
        ctx.log.warning("directory.departed", account=address_of(user), action="remove", status=str(error))
        return False
    ctx.log.info("directory.departed", account=address_of(user), action="remove", status="done")
    return True


async def _due(ctx: AdminContext) -> AsyncIterator[Entry]:
    after = ""
    while True:
        page = await ctx.editor.page(RecordQuery(Kind.USER, filled={"delete-on": True}, after=after, limit=PAGE))
        for user in page.entries:
            if value_of(user, "left") == "yes" and _reached(ctx, value_of(user, "delete-on")):
                yield user
        after = page.more
        if not after:
            return


def _reached(ctx: AdminContext, day: str) -> bool:
    return bool(day) and day <= date.fromtimestamp(ctx.clock.now()).isoformat()
