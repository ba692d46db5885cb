"""A mailserver.cfg that suddenly says nothing, or little of what it did: deleted, emptied, cut short, a template or an
old copy in its place.

Taken into use, all services would listen everywhere, mail would lie elsewhere, and the next start would run as root.
So an edit made outside, or a former version, that takes the settings away is taken only for who types `WORDS`; a server
that runs goes on with what it has. As with users.cfg (`backends/directory/forgetting.py`).
"""

from typing import Final

from whimbrel.backends.config import paths
from whimbrel.core.config import Fault, Unconfirmed, most_go
from whimbrel.core.settings import Section

WORDS: Final = "forget all settings"
"""What must be typed."""
MANY: Final = 5
"""Settings that go at once: fewer are taken away by hand."""


def forgets(known: Section, now: Section, file: str, *, missing: bool = False) -> str:
    """What a file that says `now` would make the server forget, and what to do; empty: nothing to speak of."""
    had, has = _made(known), _made(now)
    if not had:
        return ""
    gone = had - has
    if missing:
        lost = f"{file} is missing: without it all {len(had)} settings that were made have their defaults again"
    elif gone == had and (len(had) > 1 or not has):
        lost = f"{file} has none of the {len(had)} settings that were made"
    elif most_go(len(had), len(had) - len(gone), many=MANY):
        lost = f"{file} has only {len(had) - len(gone)} of the {len(had)} settings that were made"
    else:
        return ""
    return (
        f"{lost} ({_named(gone)}): it is not taken into use by itself. `whimbrel config keep` writes it as the server "
        f"knows it (the edit stays in the history); if it is meant, `whimbrel config reload --confirm '{WORDS}'`"
    )


def demand(known: Section, now: Section, file: str, confirmed: str, *, missing: bool = False) -> None:
    """Unconfirmed: the server would forget what was set, and nobody typed the words."""
    if confirmed != WORDS and (text := forgets(known, now, file, missing=missing)):
        raise Unconfirmed(WORDS, Fault("", 0, "", text))


def _made(root: Section) -> frozenset[str]:
    """Paths of settings that are not as they come."""
    return frozenset(
        path
        for path, section, field in paths.present(root)
        if getattr(section, field) != type(section).model_fields[field].default
    )


_SHOWN: Final = 6


def _named(gone: frozenset[str]) -> str:
    more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
    return ", ".join(sorted(gone)[:_SHOWN]) + more
