"""How a person wants the console: kept in State, so that every browser shows the same. Losing them loses comfort."""

import json
import re
from dataclasses import asdict, dataclass
from typing import Final

from whimbrel.core.mailbox import AccountId
from whimbrel.core.state import State

KIND: Final = "console-preferences"
"""In State, by account; see `core.state.OF_ACCOUNTS`."""
_WORD: Final = re.compile(r"[A-Za-z0-9-]{0,35}", re.ASCII)
"""A language tag is at most 35 characters long. RFC 5646 4.4.1"""


@dataclass(frozen=True, slots=True)
class Preferences:
    """Empty: as the browser or the console has it."""

    language: str = ""
    density: str = ""

    def __post_init__(self) -> None:
        """ValueError."""
        for name, value in asdict(self).items():
            if not isinstance(value, str) or not _WORD.fullmatch(value):
                raise ValueError(f"{name}: a word of letters, digits and hyphens is meant")


async def preferences_of(state: State, account: AccountId) -> Preferences:
    try:
        values = json.loads(await state.get(KIND, account) or "{}")
        return Preferences(**{name: values[name] for name in ("language", "density") if name in values})
    except (ValueError, TypeError):
        return Preferences()


async def keep_preferences(state: State, account: AccountId, preferences: Preferences) -> None:
    await state.set(KIND, account, json.dumps(asdict(preferences)))
