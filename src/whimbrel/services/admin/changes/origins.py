"""From where a change was made, for who may know it: the address of who administers more than the reader is hidden.

A domain administrator sees what was done to his users, and by whom; where a server administrator sits is not his to
know, neither read nor guessed by a search for it.
"""

from whimbrel.core.directory import Kind
from whimbrel.core.rights import Right
from whimbrel.services.admin.changes.change_lines import ChangeLine
from whimbrel.services.admin.context import AdminContext
from whimbrel.services.admin.people.users import rights_of


class Origins:
    """Of one call."""

    def __init__(self, ctx: AdminContext) -> None:
        self._ctx = ctx
        self._everywhere = ctx.caller.grants.domains(Right.SERVER_READ, reads=True) is None
        self._equals: dict[str, bool] = {}

    async def shown(self, line: ChangeLine) -> str:
        """The origin of a change; empty: it is none of the caller's business."""
        return line.origin if self._everywhere or await self._is_equal(line.user) else ""

    async def matches(self, line: ChangeLine, text: str) -> bool:
        """Whether a line that was listed for `text` has it in what is shown."""
        if not text or await self.shown(line):
            return True
        values = (line.user, line.kind, line.subject, line.field, line.old, line.new, line.action, line.id)
        return any(text.casefold() in value.casefold() for value in values)

    async def _is_equal(self, user: str) -> bool:
        """The caller, or who may do no more."""
        if user not in self._equals:
            self._equals[user] = user == self._ctx.caller.name or await self._below(user)
        return self._equals[user]

    async def _below(self, user: str) -> bool:
        """Somebody of the caller's domains who may do no more than the caller."""
        grants = self._ctx.caller.grants
        local, _, domain = user.rpartition("@")
        within = grants.domains(Right.ACCOUNTS, reads=True)
        if not local or (within is not None and domain not in within):
            return False
        entry = await self._ctx.editor.entry(Kind.USER, domain, local)
        return entry is not None and grants.includes(rights_of(entry))
