"""The port PasswordLinkStore: `DIR/password-links.json`. What has run out goes with the next change."""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from whimbrel.backends.config.kept_rows import KeptRows
from whimbrel.core.clock import Clock
from whimbrel.core.config import ConfigError, Fault
from whimbrel.core.password_links import MAX_LINKS, PasswordLink, PasswordLinkStore
from whimbrel.core.pool import Pool


class PasswordLinkFile(KeptRows[PasswordLink]):
    """For control, or for a command that holds DIR/lock."""

    ROWS = "links"

    def __init__(self, path: Path, owner: Path, pool: Pool, clock: Clock) -> None:
        """The file belongs to whom `owner` belongs."""
        super().__init__(path, owner, pool)
        self._clock = clock

    async def links(self) -> Sequence[PasswordLink]:
        now = self._clock.now()
        return [link for link in await self._all() if now < link.expires]

    async def change(self, add: Sequence[PasswordLink] = (), remove: Collection[str] = ()) -> None:
        now = self._clock.now()

        def changed(before: Mapping[str, PasswordLink]) -> dict[str, PasswordLink]:
            links = {name: link for name, link in before.items() if name not in remove and now < link.expires}
            links |= {link.account: link for link in add}
            if len(links) > MAX_LINKS:
                text = f"there are {MAX_LINKS} links that can still be used; revoke some, or let them run out"
                raise ConfigError(Fault("", 0, "", text))
            return links

        await self._changed(changed)

    def _unreadable(self, error: Exception) -> str:
        return f"it cannot be read ({error}): mend it, or delete it and make the links anew"

    def _key(self, row: PasswordLink) -> str:
        return row.account

    def _row(self, values: Any) -> PasswordLink:
        return PasswordLink(
            str(values["account"]), str(values["digest"]), str(values["owner"]), str(values["credential"]),
            str(values["maker"]), tuple(map(str, values["grants"])), str(values["home"]), str(values["sent_to"]),
            float(values["created"]), float(values["expires"]),
        )  # fmt: skip


_port: type[PasswordLinkStore] = PasswordLinkFile
