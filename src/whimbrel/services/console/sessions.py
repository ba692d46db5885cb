"""Sessions of the console: who is signed in with which browser.

The browser has a random id of 256 bits; here and in State stands only its SHA-256, so that whoever reads state.db
cannot become anybody. A session is bound to its account: it ends when the user is removed or disabled, or has another
password or other rights. State carries sessions over a restart; one that is lost there is a sign-in more.
"""

import asyncio
import hashlib
import json
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Final

from whimbrel.core.clock import Clock
from whimbrel.core.directory import Account, Directory
from whimbrel.core.errors import MailError
from whimbrel.core.log import Log
from whimbrel.core.mailbox import AccountId
from whimbrel.core.state import CONSOLE_SESSION, State
from whimbrel.services.console.settings import ConsoleSettings
from whimbrel.services.session.account_ids import account_id

KIND: Final = CONSOLE_SESSION
ID_BYTES: Final = 32
MAX_ID: Final = 64
"""Characters of an id that is looked up at all."""
MAX_SESSIONS: Final = 5_000
HANDLE: Final = 16
"""Characters of the hash by which people name a session; it opens nothing."""
MAX_AGENT: Final = 200
REAUTHENTICATED_FOR: Final = 300.0
"""Seconds in which a password that was given also serves for rights, exports and people's mail."""
WRITE_EVERY: Final = 60.0
"""Seconds between two writes of when a session was last used."""
BETWEEN_REVIEWS: Final = 0.2
"""Seconds between two rounds through all sessions after changes of the directory."""

Ended = Callable[[Account | None, str], str]
"""Says why a sign-in with a credential counts no more, of an account as it is now; empty: it does."""


@dataclass(slots=True, eq=False)
class Session:
    """One browser that is signed in. Times are seconds since 1970."""

    digest: str
    """SHA-256 of the id, in hex."""
    account: AccountId
    credential: str
    """What was shown at the sign-in: `password:3f0c9a61d2b4`."""
    grants: str
    """The rights of the account then."""
    ip: str
    agent: str
    """What the browser calls itself."""
    began: float
    reauthenticated: float
    """When the password was last given."""
    used: float
    owner: str = ""
    """The id of the account, which another one of its name does not have."""
    written: float = 0.0
    """The value of `used` that State has."""
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the session has ended: whoever streams to it stops."""
    revoked: str = ""
    """Why it was taken away from who had it; empty: it was not."""

    @property
    def handle(self) -> str:
        return self.digest[:HANDLE]

    def text(self) -> str:
        """As State has it."""
        values = {name: getattr(self, name) for name in _STORED}
        return json.dumps(values, ensure_ascii=False)

    @classmethod
    def read(cls, digest: str, text: str) -> "Session | None":
        """None: written by a release that we do not understand."""
        try:
            values = json.loads(text)
            account, credential, grants, ip, agent = (str(values[name]) for name in _STORED[:5])
            began, reauthenticated, used = (float(values[name]) for name in _STORED[5:8])
            owner = str(values.get("owner", ""))
        except (ValueError, KeyError, TypeError):
            return None
        return cls(
            digest, AccountId(account), credential, grants, ip, agent, began, reauthenticated, used, owner, used
        )  # fmt: skip


_STORED: Final = ("account", "credential", "grants", "ip", "agent", "began", "reauthenticated", "used", "owner")


class Sessions:
    """All sessions of the console. One for the control process."""

    def __init__(
        self,
        *,
        directory: Directory,
        state: State,
        clock: Clock,
        log: Log,
        settings: Callable[[], ConsoleSettings],
        ended: Ended,
    ) -> None:
        self._directory, self._state, self._clock, self._log = directory, state, clock, log
        self._settings, self._why_ended = settings, ended
        self._sessions: dict[str, Session] = {}
        self._review: asyncio.Task[None] | None = None
        self._again = False
        self._naming = asyncio.Lock()

    async def load(self) -> None:
        """Takes up the sessions of the time before a restart."""
        for digest, text in await self._state.list(KIND, MAX_SESSIONS):
            session = Session.read(digest, text)
            if session is None:
                await self._state.delete(KIND, digest)
            else:
                session.owner = session.owner or await account_id(self._state, session.account)
                self._sessions[digest] = session
        await self._reviewed()

    async def begin(self, account: Account, credential: str, ip: str, agent: str) -> tuple[str, Session]:
        """A new session with its id, which nobody had before."""
        now = self._clock.now()
        await self._make_room(account.id)
        async with self._naming:  # Of two sign-ins at once the second has the id that the first one got.
            owner = await account_id(self._state, account.id)
        id = secrets.token_urlsafe(ID_BYTES)
        session = Session(
            _digest(id), account.id, credential, str(account.grants), ip, agent[:MAX_AGENT], now, now, now, owner
        )
        self._sessions[session.digest] = session
        await self._write(session)
        return id, session

    async def of(self, id: str) -> tuple[Session, Account] | None:
        """The session with this id and its account as it is now; None: there is none, or it has ended. MailError 451:
        the directory cannot say."""
        session = self._sessions.get(_digest(id)) if 0 < len(id) <= MAX_ID else None
        if session is None:
            return None
        account = await self._checked(session)
        return None if account is None else (session, account)

    async def used(self, session: Session) -> None:
        """A person made a request."""
        session.used = self._clock.now()
        if session.used - session.written >= WRITE_EVERY:
            await self._write(session)

    async def reauthenticated(self, session: Session) -> None:
        """The password was given once more."""
        session.reauthenticated = session.used = self._clock.now()
        await self._write(session)

    def recent(self, session: Session) -> bool:
        """The password was given within the last minutes."""
        return 0 <= self._clock.now() - session.reauthenticated < REAUTHENTICATED_FOR

    def expires(self, session: Session) -> float:
        """When it ends if nothing happens any more, in seconds since 1970."""
        settings = self._settings()
        return min(session.began + settings.session_lifetime, session.used + settings.session_idle)

    def lasts_until(self, session: Session) -> float:
        """When it ends however busy it is, in seconds since 1970."""
        return session.began + self._settings().session_lifetime

    @property
    def idle_seconds(self) -> int:
        """After so long without a request a session ends."""
        return int(self._settings().session_idle)

    async def list(self) -> list[Session]:
        """Those that have not ended, the latest used first."""
        await self._reviewed()
        return sorted(self._sessions.values(), key=lambda session: session.used, reverse=True)

    async def stands(self, session: Session) -> str:
        """Why what was asked for in this session must not be done any more; empty: it may. Who signs out or stays
        away takes nothing back; whose session was ended by somebody, or who may do less now, loses it. MailError"""
        return session.revoked or self._lost(session, await self._directory.account(session.account))

    async def end(self, session: Session, reason: str, *, revoked: bool = False) -> None:
        """`revoked`: what was asked for in it and still waits is not done."""
        if revoked:
            session.revoked = reason
        if self._sessions.pop(session.digest, None) is None:
            return
        session.ended.set()
        await self._state.delete(KIND, session.digest)
        self._log.info("signin.ended", service="console", user=session.account, sender_host=session.ip, reason=reason)

    async def end_all(self, account: str, reason: str, *, but: Session | None = None) -> int:
        """Takes away all sessions of an account, except `but`; says how many."""
        ending = [each for each in self._sessions.values() if each.account == account and each is not but]
        for session in ending:
            await self.end(session, reason, revoked=True)
        return len(ending)

    def directory_changed(self, _key: str = "") -> None:
        """Handles a notice of USERS: sessions that count no more end within a moment."""
        self._again = True
        if self._review is None and self._sessions:
            self._review = asyncio.get_running_loop().create_task(self._review_all())

    async def close(self) -> None:
        """Writes down when each session was last used."""
        if self._review is not None:
            self._review.cancel()
            await asyncio.gather(self._review, return_exceptions=True)
        for session in self._sessions.values():
            if session.used != session.written:
                await self._write(session)

    # Inside

    async def _checked(self, session: Session) -> Account | None:
        """The account of a session that has not ended. MailError"""
        if self._clock.now() >= self.expires(session):
            await self.end(session, "its time was up")
            return None
        account = await self._directory.account(session.account)
        if reason := self._lost(session, account):
            await self.end(session, reason)
            return None
        return account

    def _lost(self, session: Session, account: Account | None) -> str:
        """Why the account, as it is now, has this session no more; empty: it has."""
        reason = self._why_ended(account, session.credential)
        if not reason and account is not None and str(account.grants) != session.grants:
            reason = "the rights were changed"
        return reason

    async def _reviewed(self) -> None:
        for session in list(self._sessions.values()):
            try:
                await self._checked(session)
            except MailError:  # The directory cannot say: it is asked again before the session's next request.
                continue

    async def _review_all(self) -> None:
        try:
            while self._again:
                self._again = False
                await self._reviewed()
                if self._again:
                    await asyncio.sleep(BETWEEN_REVIEWS)
        finally:
            self._review = None

    async def _make_room(self, account: AccountId) -> None:
        own = [each for each in self._sessions.values() if each.account == account]
        for session in _least_used(own, self._settings().sessions_per_user):
            await self.end(session, "the user has signed in too often")
        for session in _least_used(self._sessions.values(), MAX_SESSIONS):
            await self.end(session, "there are too many sessions")

    async def _write(self, session: Session) -> None:
        session.written = session.used
        # What is used meanwhile is written later; the time-outs themselves are those of the settings.
        expires = min(self.expires(session) + WRITE_EVERY, self.lasts_until(session))
        await self._state.set(KIND, session.digest, session.text(), expires=expires)


def _least_used(sessions: Iterable[Session], most: int) -> list[Session]:
    """Those that must end so that another fits in."""
    ordered = sorted(sessions, key=lambda session: session.used)
    return ordered[: max(0, len(ordered) - most + 1)]


def _digest(id: str) -> str:
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()
