"""Exact edits of a message that passes by in pieces: what no edit names stays as it is, octet for octet.

Who knows the outline of a message (`convert.py`, `changes.py`) says what to edit; nobody holds the message.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from whimbrel.mail.writing.recode import Recoder


@dataclass(frozen=True, slots=True)
class Edit:
    """The octets from `start` to `stop` are replaced by `text`, or by what `recoder` makes of them."""

    start: int
    stop: int
    text: bytes = b""
    recoder: type[Recoder] | None = None


class Rewriter:
    """Makes the changes."""

    def __init__(self, changes: Sequence[Edit]) -> None:
        self._edits = iter(changes)
        self._edit = next(self._edits, None)
        self._recoder: Recoder | None = None
        self._begun = False
        self._at = 0

    def feed(self, piece: bytes) -> bytes:
        """The next octets of the message; what they have become, as far as that is known. With the last octet of the
        message everything is."""
        out, start, size = [], 0, len(piece)
        while (edit := self._edit) is not None:
            if not self._begun:
                count = min(edit.start - self._at, size - start)
                out.append(piece[start : start + count])
                start, self._at = start + count, self._at + count
                if self._at < edit.start:
                    return b"".join(out)
                self._begun = True
                out.append(edit.text)
                self._recoder = edit.recoder() if edit.recoder else None
            count = min(edit.stop - self._at, size - start)
            if self._recoder is not None:
                out.append(self._recoder.feed(piece[start : start + count]))
            start, self._at = start + count, self._at + count
            if self._at < edit.stop:
                return b"".join(out)
            if self._recoder is not None:
                out.append(self._recoder.end())
            self._begun, self._edit = False, next(self._edits, None)
        out.append(piece[start:])
        return b"".join(out)
