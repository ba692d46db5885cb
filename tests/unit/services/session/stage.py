"""An Authenticator with everything around it in memory."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

from tests.support.fakes import FakeClock, FakeConfig, MemoryCounters, MemoryLog, MemoryState
from tests.support.smtp import PASSWORD, FakeDirectory
from whimbrel.core.credentials.stored import StoredPassword
from whimbrel.core.directory import Account, LocalDomain
from whimbrel.core.errors import MailError
from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import Mechanism, Want
from whimbrel.services.session.authenticator import Authenticator, Provider
from whimbrel.services.session.identities import IdentityWatch, SignedIn
from whimbrel.services.session.lockout import LockOut
from whimbrel.services.session.passwords import verify_password
from whimbrel.services.session.peer import SessionPeer
from whimbrel.services.session.record import SignInRecord
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.session.stored_secrets import StoredSecrets

P = ParamSpec("P")
T = TypeVar("T")
PEER = SessionPeer("imap", "192.0.2.1", True, "s1")
RIGHT, WRONG = Secret(PASSWORD), Secret("wrong")


class CountingPool:
    """Counts the verifications, and how many are under way at once."""

    def __init__(self) -> None:
        self.runs: list[tuple[Any, ...]] = []
        self.now = self.most = 0

    async def run(self, work: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        if work is not verify_password:
            return work(*args, **kwargs)
        self.runs.append((work, *args))
        self.now += 1
        self.most = max(self.most, self.now)
        await asyncio.sleep(0)
        self.now -= 1
        return work(*args, **kwargs)


class AliasedDirectory(FakeDirectory):
    """Its domain is called alias.test as well."""

    async def domain(self, name: str) -> LocalDomain | None:
        return await self.primary() if name in ("example.test", "alias.test") else None

    async def sign_in(self, name: str) -> Account | None:
        local, at, domain = name.rpartition("@")
        return await super().sign_in(f"{local}@example.test" if at and domain.lower() == "alias.test" else name)

    def change(self, name: str, **values: Any) -> None:
        entry = self.accounts[f"{name}@example.test"]
        self.accounts[f"{name}@example.test"] = replace(entry, **values)


class Client:
    """Answers challenges one after another; `asked` are the challenges."""

    def __init__(self, *responses: bytes) -> None:
        self.responses, self.asked = list(responses), list[bytes]()

    async def __call__(self, challenge: bytes) -> bytes:
        self.asked.append(challenge)
        return self.responses.pop(0)


class Stage:
    def __init__(
        self,
        *accounts: Account,
        settings: SecuritySettings | None = None,
        providers: Mapping[type[Want], Provider] | None = None,
    ) -> None:
        self.directory, self.log, self.clock = AliasedDirectory(*accounts), MemoryLog(), FakeClock()
        self.pool, self.counters, self.pauses = CountingPool(), MemoryCounters(), list[float]()
        self.state = MemoryState()
        self.version = 1
        config = FakeConfig(settings or SecuritySettings())
        record = SignInRecord(self.state, self.clock)
        self.secrets = StoredSecrets(config, self.pool, self.clock, self.log, record, lambda: b"installation key")
        self.watch = IdentityWatch(self.directory, (self.secrets,), self.log, lambda: self.version)
        self.sign_in = Authenticator(
            directory=self.directory,
            config=config,
            lockout=LockOut(config, self.counters),
            sources=(self.secrets,),
            watch=self.watch,
            log=self.log,
            record=record,
            providers=providers,
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def check(self, name: str, password: Secret, peer: SessionPeer = PEER) -> str:
        try:
            return (await self.sign_in.password(name, password, peer, method="LOGIN")).account.id
        except MailError as error:
            return f"{error.code} {error.enhanced} {error.text}"

    async def exchange(
        self, mechanism: Mechanism, initial: bytes | None, client: Client | None = None, peer: SessionPeer = PEER
    ) -> SignedIn:
        return await self.sign_in.start(mechanism, initial, peer, client or Client())

    def reasons(self) -> list[Any]:
        """The reasons of failures in the security log."""
        return [record["reason"] for record in self.log.named("signin.failed")]

    def give_keys(self, name: str, stored: StoredPassword) -> None:
        self.directory.change(name, password=stored.verifier, password_keys=stored.beside())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)
