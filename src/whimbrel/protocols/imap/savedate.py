"""SAVEDATE: when a message came into its mailbox. Its search keys are in `search.py`.

Standards: RFC 8514 4.1 (FETCH)
"""

from typing import Final

from whimbrel.protocols.imap.fetch import Attribute
from whimbrel.protocols.imap.grammar import Part

SAVEDATE: Final = Attribute(b"SAVEDATE")

PART = Part(fetch_items={b"SAVEDATE": lambda _: SAVEDATE})
