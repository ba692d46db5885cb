"""What annotations a watching session knows of: of each mailbox it asked for, and of the account itself.

Kept is a number for each annotation, not its value: which ones changed is all that is told.

Standards: RFC 5465 5.6 (MailboxMetadataChange), 5.7 (ServerMetadataChange), RFC 5464 4.4.2 (METADATA without values)
"""

from collections.abc import Mapping

from whimbrel.core.mailbox import AccountId, Folders, MailboxId
from whimbrel.protocols.imap.encode import astring


class Noted:
    """Names and values, by mailbox; None stands for the account."""

    __slots__ = ("_account", "_folders", "_known")

    def __init__(self, folders: Folders, account: AccountId) -> None:
        self._folders, self._account = folders, account
        self._known: dict[MailboxId | None, dict[str, int]] = {}

    def __contains__(self, place: MailboxId | None) -> bool:
        return place in self._known

    def forget(self, place: MailboxId | None) -> None:
        self._known.pop(place, None)

    async def learn(self, place: MailboxId | None) -> None:
        """From now on changes there are noticed. MailboxError."""
        self._known[place] = _numbers(await self._folders.annotations(self._account, place))

    async def changed(self, place: MailboxId | None) -> tuple[str, ...]:
        """Names of those set, changed or removed since it was last asked; none where nothing was learnt."""
        before = self._known.get(place)
        if before is None:
            return ()
        await self.learn(place)
        now = self._known[place]
        return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))


def _numbers(annotations: Mapping[str, bytes]) -> dict[str, int]:
    return {name: hash(value) for name, value in annotations.items()}


def response(mailbox: bytes, names: tuple[str, ...]) -> bytes:
    """Behind `* `; `mailbox` as it goes on the wire."""
    return b"METADATA %b %b" % (mailbox, b" ".join(astring(name.encode("ascii", "replace")) for name in names))
