"""What annotations a watching session knows of: of each mailbox it asked for, and of the account itself.

Kept is a number for each annotation, not its value: which ones changed is all that is reported.

Standards: RFC 5465 5.6 (MailboxMetadataChange), 5.7 (ServerMetadataChange), RFC 5464 4.4.2 (METADATA without values)
"""

from collections.abc import Mapping

from whimbrel.core.mailbox import MailboxId
from whimbrel.services.session.namespaces import Mailbox, Mailboxes


class Noted:
    """Names and values, by mailbox; None stands for the account."""

    __slots__ = ("_known", "_mailboxes")

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._known: dict[MailboxId | None, dict[str, int]] = {}

    def __contains__(self, mailbox: MailboxId) -> bool:
        return mailbox in self._known

    def forget(self, mailbox: MailboxId) -> None:
        self._known.pop(mailbox, None)

    async def learn(self, place: Mailbox | None) -> None:
        """From now on changes there are noticed. MailboxError."""
        self._known[_id(place)] = _numbers(await self._mailboxes.annotations(place))

    async def changed(self, place: Mailbox | None) -> tuple[str, ...]:
        """Names of those set, changed or removed since it was last asked; none where nothing was learnt."""
        before = self._known.get(_id(place))
        if before is None:
            return ()
        await self.learn(place)
        now = self._known[_id(place)]
        return tuple(sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name)))


def _id(place: Mailbox | None) -> MailboxId | None:
    return None if place is None else place.ref.mailbox


def _numbers(annotations: Mapping[str, bytes]) -> dict[str, int]:
    return {name: hash(value) for name, value in annotations.items()}
