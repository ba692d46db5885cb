"""A users.cfg that suddenly names nobody, or few of those it did: emptied, cut short, a template or an old copy in its
place.

Taken into use, their mail would be refused for good. So an edit made outside that leaves no domain, or no user, where
there were some, or takes most users away at once, is taken only for who types `WORDS`; until then a server that runs
goes on with what it knows, and one that starts answers nothing (451): its index is withheld, and keeps what it knew for
`config keep`.
"""

from dataclasses import dataclass
from typing import Final

import apsw

from whimbrel.backends.directory import index
from whimbrel.backends.directory.index import DOMAIN, USER
from whimbrel.core.config import Fault, Unconfirmed, most_go

WORDS: Final = "forget all users"
"""What must be typed."""
MANY: Final = 10
"""Users who go at once: fewer are taken away by hand."""


@dataclass(frozen=True, slots=True)
class Headcount:
    """How many domains and users there are."""

    domains: int = 0
    users: int = 0


def counted(db: apsw.Connection) -> Headcount:
    """In an index, or in what was built of it so far."""
    query = "SELECT count(*) FROM node WHERE kind = ?"
    return Headcount(*(int(str(db.execute(query, (kind,)).get)) for kind in (DOMAIN, USER)))


def forgets(known: Headcount, now: Headcount, file: str) -> str:
    """What a file that says `now` would make the server forget, and what to do; empty: nothing to speak of."""
    if known.domains and not now.domains:
        lost = f"no domain any more, and the server knows {known.domains} with {known.users} users"
    elif known.users and not now.users:
        lost = f"no user any more, and the server knows {known.users}"
    elif most_go(known.users, now.users, many=MANY):
        lost = f"only {now.users} of the {known.users} users that the server knows"
    else:
        return ""
    return (
        f"{file} has {lost}: it is not taken into use by itself. `whimbrel config keep` writes it as the server knows "
        f"it (the edit stays in the history); if it is meant, `whimbrel config reload --confirm '{WORDS}'`"
    )


def demand(known: Headcount, now: Headcount, file: str, confirmed: str) -> None:
    """Unconfirmed: the server would forget everybody, and nobody typed the words."""
    if confirmed != WORDS and (text := forgets(known, now, file)):
        raise Unconfirmed(WORDS, Fault("", 0, "", text))


def withhold(db: apsw.Connection) -> None:
    """Who opens the index from now on is answered nothing."""
    index.set_meta(db, index.WITHHELD, "yes")


def withheld(db: apsw.Connection) -> bool:
    return index.meta(db, index.WITHHELD) != ""


def release(db: apsw.Connection) -> None:
    """It answers again."""
    if withheld(db):
        index.set_meta(db, index.WITHHELD, "")
