"""What a folder's row counts while it is changed: read from the index, kept between transactions, written back."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import apsw

from whimbrel.backends.store.disk.columns import AHEAD
from whimbrel.backends.store.disk.database import row
from whimbrel.core.mailbox import DELETED, SEEN, FolderStatus

_READ = (
    "SELECT uid_validity, uid_next, highest_modseq, messages, unseen, deleted, bytes, first_recent, resync_floor, "
    "coalesce(block.id, -1), coalesce(block.modseq, 0) "
    "FROM folder LEFT JOIN block ON block.id = (SELECT max(id) FROM block)"
)
_WRITE = (
    "UPDATE folder SET uid_next=?, highest_modseq=?, first_recent=?, messages=?, unseen=?, deleted=?, bytes=?, "
    "resync_floor=?"
)


@dataclass(slots=True)
class Counts:
    """In the order of FolderStatus; then the newest run of UIDs, and the modseq that `block` has for it."""

    validity: int
    uid_next: int
    modseq: int
    messages: int
    unseen: int
    deleted: int
    bytes: int
    recent: int
    floor: int
    newest: int
    ceiling: int

    @classmethod
    def read(cls, connection: apsw.Connection) -> "Counts":
        return cls(*row(connection, _READ))

    def copy(self) -> "Counts":
        return replace(self)

    @property
    def status(self) -> FolderStatus:
        return FolderStatus(
            self.validity, self.uid_next, self.modseq, self.messages, self.unseen, self.deleted, self.bytes,
            self.recent, self.floor,
        )  # fmt: skip

    def count(self, sign: int, flags: int, size: int) -> None:
        """A message more (1) or less (-1); `size` has its sign."""
        self.messages += sign
        self.bytes += size
        if not flags & SEEN:
            self.unseen += sign
        if flags & DELETED:
            self.deleted += sign

    def write(self, cursor: apsw.Cursor) -> None:
        cursor.execute(
            _WRITE,
            (
                self.uid_next,
                self.modseq,
                self.recent,
                self.messages,
                self.unseen,
                self.deleted,
                self.bytes,
                self.floor,
            ),
        )

    def raised(self, blocks: Collection[int]) -> list[tuple[int, int]]:
        """What `block` must say now that messages in these runs have changed. The newest run is raised ahead of time,
        so that not each message that comes in writes it; when another one takes its place, it says again what is
        true."""
        before, newest = self.newest, max(self.newest, *blocks, -1)
        written = [(block, self.modseq) for block in blocks if block != newest]
        if newest in blocks and (newest > before or self.modseq > self.ceiling):
            if 0 <= before < newest and before not in blocks:
                written.append((before, self.modseq))
            self.newest, self.ceiling = newest, self.modseq + AHEAD
            written.append((newest, self.ceiling))
        return written
