"""Who makes an admin call, and whether that still holds after a wait."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.errors import MailError
from whimbrel.core.rights import EVERYTHING, Grants
from whimbrel.services.admin.calls import CallError, Failure


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks. On the local socket and without a server it is the person who may read the files anyway."""

    name: str = "local"
    grants: Grants = EVERYTHING
    account: str = ""
    """The user's own account, `name@domain`; empty for who is none."""
    origin: str = ""
    """From where: an IP address; `local user root, process 4242`; `without a server`."""
    token: str = ""
    """Name of the API token by which the call is made."""
    owner: str = "local"
    """Whose the operations are that are begun in this call: an id that no other account or token ever has."""
    session: str = ""
    """By what people name the session of the console in which the call is made; it opens nothing."""
    reauthenticated: bool = True
    """The password was given within the last minutes, or there is none to ask for: a token, the local socket."""
    stands: Callable[[], Awaitable[str]] | None = field(default=None, compare=False, repr=False)
    """Asked before work that waited: why the caller may not have it done any more; empty: nothing has changed.
    MailError. None: the person may read the files anyway."""


LOCAL: Final = Caller()


async def permit_still(caller: Caller) -> None:
    """After a wait, and while work goes on: whoever lost the session, the token or the rights meanwhile has nothing
    more done. CallError"""
    if caller.stands is None:
        return
    try:
        reason = await caller.stands()
    except MailError:
        reason = "the users cannot be looked up at this moment"
    if reason:
        raise CallError(Failure.FORBIDDEN, f"{caller.name} may not have it done any more: {reason}")
