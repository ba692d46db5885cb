"""Ids of accounts: a name is given to somebody else once it is free, an id never is.

What outlives a call (operations, sessions of the console) is owned by the id. State has it by account, so it follows a
user who is renamed; losing it hides from the user what was begun before.
"""

import secrets
from typing import Final

from whimbrel.core.state import State

KIND: Final = "account-id"
"""In State, by account (`core.state.OF_ACCOUNTS`): the id, and when the account was made (0: nobody wrote it down)."""


async def account_id(state: State, account: str) -> str:
    """The id of the account; it gets one if it has none yet."""
    words = (await state.get(KIND, account) or "").split()
    return words[0] if words else await give_id(state, account, 0.0)


async def made_at(state: State | None, account: str) -> float:
    """Since when the name is that of this account, in seconds since 1970; 0: nobody knows that it was another's."""
    words = (await state.get(KIND, account) or "").split() if state is not None else []
    return float(words[1]) if len(words) == 2 and words[1].isdigit() else 0.0


async def give_id(state: State, account: str, now: float) -> str:
    """A new one, of an account that was made `now`."""
    id = secrets.token_hex(8)
    await state.set(KIND, account, f"{id} {int(now)}")
    return id
