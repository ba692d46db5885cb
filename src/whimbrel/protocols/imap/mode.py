"""What client and server agreed on by ENABLE: a value shared by all connections that agreed on the same.

Standards: RFC 5161, RFC 7162 3.1 (CONDSTORE is also switched on by its use), RFC 9051, RFC 6855, RFC 9586
"""

from dataclasses import dataclass
from functools import lru_cache

CONDSTORE = b"CONDSTORE"
QRESYNC = b"QRESYNC"
REV2 = b"IMAP4REV2"
UIDONLY = b"UIDONLY"
UTF8 = b"UTF8=ACCEPT"


@dataclass(frozen=True, slots=True)
class Mode:
    condstore: bool = False
    """Flags are sent with their MODSEQ. RFC 7162 3.1"""
    qresync: bool = False
    """VANISHED instead of EXPUNGE. RFC 7162 3.2"""
    rev2: bool = False
    r"""No \\Recent, ESEARCH instead of SEARCH, UIDs with all flags. RFC 9051 appendix E"""
    uidonly: bool = False
    """No message numbers at all. RFC 9586"""
    utf8: bool = False
    """Mailbox names are UTF-8. RFC 6855 3, RFC 9051 5.1"""

    @property
    def vanished(self) -> bool:
        """Messages that are gone are named by UID."""
        return self.qresync or self.uidonly


PLAIN = Mode()


@lru_cache(64)
def mode_of(enabled: frozenset[bytes]) -> Mode:
    """The mode after all of `enabled` (names in capitals)."""
    qresync, rev2 = QRESYNC in enabled, REV2 in enabled
    return Mode(
        condstore=qresync or CONDSTORE in enabled,  # RFC 7162 3.2.3
        qresync=qresync,
        rev2=rev2,
        uidonly=UIDONLY in enabled,
        utf8=rev2 or UTF8 in enabled,
    )
