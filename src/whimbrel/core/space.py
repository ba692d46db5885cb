"""Whether there is room on disk to take in more mail."""

from typing import Protocol


class Space(Protocol):
    """Asked before anything that would be stored is begun; it costs nothing, so ask each time.

    False: SMTP and LMTP answer MAIL with 452 4.3.1 (RFC 3463 3.4), IMAP APPEND and COPY end in NO [UNAVAILABLE].
    Reading, deleting and sending what waits go on. It becomes true again by itself.
    """

    def accepting(self) -> bool: ...
