"""Signing in: the same answer for every failure, lock-out, few runs of argon2."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, ParamSpec, TypeVar

import pytest

from tests.support.fakes import FakeClock, FakeConfig, MemoryCounters, MemoryLog, MemoryState
from tests.support.smtp import PASSWORD, FakeDirectory, account
from whimbrel.core.credentials.scram import ScramKeys
from whimbrel.core.credentials.stored import mark, own_id
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.network import Network
from whimbrel.core.values import Duration, Secret
from whimbrel.services.session import sign_in as module
from whimbrel.services.session.passwords import NOBODY, hash_password, verify_password
from whimbrel.services.session.peer import SessionPeer, mechanisms, plaintext_allowed
from whimbrel.services.session.record import LastSignIn, SignInRecord, last_sign_in, read_upgrade
from whimbrel.services.session.settings import SecuritySettings
from whimbrel.services.session.sign_in import SignIn

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


class Stage:
    def __init__(self, *accounts: Account, settings: SecuritySettings | None = None) -> None:
        self.directory, self.log, self.clock = FakeDirectory(*accounts), MemoryLog(), FakeClock()
        self.pool, self.counters, self.pauses = CountingPool(), MemoryCounters(), list[float]()
        self.state = MemoryState()
        self.sign_in = SignIn(
            directory=self.directory,
            config=FakeConfig(settings or SecuritySettings()),
            counters=self.counters,
            pool=self.pool,
            log=self.log,
            clock=self.clock,
            record=SignInRecord(self.state, self.clock),
            pause=self._pause,
        )

    async def _pause(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def check(self, name: str, password: Secret, peer: SessionPeer = PEER) -> str:
        try:
            return (await self.sign_in.check(name, password, peer)).id
        except MailError as error:
            return f"{error.code} {error.enhanced} {error.text}"


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(coroutine)


def test_a_right_password_gives_the_account() -> None:
    stage = Stage()
    assert run(stage.check("alice", RIGHT)) == "alice@example.test"
    assert run(stage.check("Alice@Example.test", RIGHT)) == "alice@example.test"
    assert stage.log.named("signin.ok")[0]["user"] == "alice@example.test"
    assert stage.pauses == []


def test_all_failures_have_the_same_words_and_the_same_work() -> None:
    failures = [
        ("alice", WRONG),
        ("nobody", RIGHT),
        ("carol", RIGHT),
        ("carol", WRONG),
        ("", RIGHT),
        ("a" * 10_000, RIGHT),
    ]
    for name, password in failures:
        stage = Stage()
        assert run(stage.check(name, password)) == "535 5.7.8 Authentication credentials invalid"
        assert len(stage.pool.runs) == 1
        assert stage.pauses == [1.0]
        (record,) = stage.log.named("signin.failed")
        assert record["sender_host"] == "192.0.2.1"
        assert len(str(record["user"])) <= 320


def test_nothing_fits_the_verifier_of_nobody() -> None:
    stage = Stage(replace(account("alice"), password=NOBODY))
    assert run(stage.check("alice", RIGHT)).startswith("535")


def test_no_password_is_logged() -> None:
    stage = Stage()
    run(stage.check("alice", Secret("xyzzy-plugh")))
    run(stage.check("alice", RIGHT))
    assert "xyzzy-plugh" not in repr(stage.log.records)
    assert PASSWORD not in repr(stage.log.records)


def test_many_connections_of_one_client_cost_few_runs() -> None:
    stage = Stage()

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(stage.check("alice", RIGHT) for _ in range(50)))

    assert set(run(all_at_once())) == {"alice@example.test"}
    assert len(stage.pool.runs) <= module.AT_ONCE
    assert stage.pool.most <= module.AT_ONCE


def test_wrong_passwords_never_run_more_than_two_at_once() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=0))

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(stage.check("alice", Secret(f"guess{at}")) for at in range(6)))

    assert all(answer.startswith("535") for answer in run(all_at_once()))
    assert len(stage.pool.runs) == 6
    assert stage.pool.most == module.AT_ONCE


def test_a_crowd_is_told_to_come_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    stage = Stage()

    async def all_at_once() -> list[str]:
        return await asyncio.gather(*(stage.check("alice", Secret(f"guess{at}")) for at in range(5)))

    answers = run(all_at_once())
    assert sum(answer.startswith("454 4.7.0") for answer in answers) == 2


def test_what_is_remembered_ends_with_time_and_with_the_verifier() -> None:
    stage = Stage()
    run(stage.check("alice", RIGHT))
    run(stage.check("alice", RIGHT))
    assert len(stage.pool.runs) == 1
    stage.clock.forward(601)
    run(stage.check("alice", RIGHT))
    assert len(stage.pool.runs) == 2
    changed = replace(account("alice"), password=hash_password(Secret("new")))
    stage.directory.accounts[changed.address.key] = changed
    assert run(stage.check("alice", RIGHT)).startswith("535")
    assert run(stage.check("alice", Secret("new"))) == "alice@example.test"


def test_a_remembered_account_can_be_disabled() -> None:
    stage = Stage()
    run(stage.check("alice", RIGHT))
    stage.directory.accounts["alice@example.test"] = replace(account("alice"), enabled=False)
    assert run(stage.check("alice", RIGHT)).startswith("535")


def test_lock_out_holds_for_account_and_address_together() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3))
    for name in ("alice", "ALICE", "alice@example.test"):
        assert run(stage.check(name, WRONG)).startswith("535")
    runs = len(stage.pool.runs)
    assert run(stage.check("alice", RIGHT)).startswith("454 4.7.0")
    assert len(stage.pool.runs) == runs
    # Once when the lock begins, and once for who comes while it lasts.
    assert len(stage.log.named("signin.locked")) == 2 and stage.pauses == [1.0] * 4
    assert run(stage.check("bob", RIGHT)) == "bob@example.test"
    assert run(stage.check("alice", RIGHT, replace(PEER, ip="192.0.2.2"))) == "alice@example.test"


def test_a_whole_ipv6_network_is_one_address() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3))
    for at in range(3):
        run(stage.check("alice", WRONG, replace(PEER, ip=f"2001:db8::{at}")))
    assert run(stage.check("alice", RIGHT, replace(PEER, ip="2001:db8::ffff"))).startswith("454")
    assert run(stage.check("alice", RIGHT, replace(PEER, ip="2001:db8:0:1::1"))) == "alice@example.test"


def test_who_tries_many_accounts_is_locked_too() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3, lock_out_host_after=4))
    for at in range(4):
        assert run(stage.check(f"user{at}", WRONG)).startswith("535")
    assert run(stage.check("alice", RIGHT)).startswith("454")


def test_a_sign_in_without_a_name_that_can_be_read_is_a_failed_one_and_is_counted() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_host_after=3))
    for _ in range(3):
        stage.sign_in.unreadable(PEER, method="PLAIN")
    assert [record["sender_host"] for record in stage.log.named("signin.failed")] == ["192.0.2.1"] * 3
    assert run(stage.check("alice", RIGHT)).startswith("454")


def test_success_forgives_failures() -> None:
    stage = Stage(settings=SecuritySettings(lock_out_after=3))
    for _ in range(3):
        assert run(stage.check("alice", WRONG)).startswith("535")
        assert run(stage.check("alice", WRONG)).startswith("535")
        assert run(stage.check("alice", RIGHT)) == "alice@example.test"


def test_a_verifier_of_the_past_is_made_anew() -> None:
    from argon2 import PasswordHasher

    old = Secret(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD))
    stage = Stage(replace(account("alice"), password=old))
    run(stage.check("alice", WRONG))
    assert stage.state.values == {}
    run(stage.check("alice", RIGHT))
    upgrade = read_upgrade(stage.state.values["credential", "alice@example.test"])
    assert upgrade is not None
    replaced, stored = upgrade
    assert (replaced, stored.id) == (mark(old), own_id(old))
    assert "m=19456,t=2,p=1" in stored.verifier.reveal() and verify_password(stored.verifier, RIGHT)
    assert ScramKeys.read(stored.keys["SCRAM-SHA-256"].reveal()).fit(PASSWORD)


def test_the_last_sign_in_is_remembered_and_many_connections_write_it_once() -> None:
    stage = Stage()
    assert run(last_sign_in(stage.state, AccountId("alice@example.test"))) is None
    run(stage.check("alice", WRONG))
    assert stage.state.values == {}
    run(stage.check("alice", RIGHT))
    first = stage.clock.now()
    assert run(last_sign_in(stage.state, AccountId("alice@example.test"))) == LastSignIn(first, "imap", "192.0.2.1")
    stage.clock.forward(30)
    run(stage.check("alice", RIGHT))
    found = run(last_sign_in(stage.state, AccountId("alice@example.test")))
    assert found is not None and found.at == first
    stage.clock.forward(31)
    run(stage.check("alice", RIGHT))
    found = run(last_sign_in(stage.state, AccountId("alice@example.test")))
    assert found is not None and found.at == first + 61


def test_passwords_in_the_clear_only_under_tls_or_where_it_is_set() -> None:
    clear = replace(PEER, tls=False)
    open_to = SecuritySettings(plaintext_from=(Network("192.0.2.0/24"), Network("::1")))
    assert plaintext_allowed(SecuritySettings(), PEER)
    assert not plaintext_allowed(SecuritySettings(), clear)
    assert plaintext_allowed(open_to, clear)
    assert plaintext_allowed(open_to, replace(clear, ip="::1"))
    assert plaintext_allowed(open_to, replace(clear, ip="::ffff:192.0.2.7"))
    assert not plaintext_allowed(open_to, replace(clear, ip="192.0.3.1"))
    assert not plaintext_allowed(open_to, replace(clear, ip=""))
    assert mechanisms(SecuritySettings(), clear) == ()
    assert mechanisms(SecuritySettings(), PEER) == ("PLAIN", "LOGIN")


def test_settings_refuse_what_is_no_network() -> None:
    assert Network("10.1.2.3/8") == "10.0.0.0/8"
    with pytest.raises(ValueError, match="address or network"):
        SecuritySettings.model_validate({"plaintext_from": ("everywhere",)})
    with pytest.raises(ValueError, match="maximum"):
        SecuritySettings.model_validate({"remember_sign_in": Duration("11m")})
