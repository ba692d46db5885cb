"""Verifiers and keys in users.cfg: few runs of argon2, what is remembered, what is stored anew."""

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from tests.support.smtp import PASSWORD, account
from tests.unit.services.session.stage import RIGHT, WRONG, Stage, run
from whimbrel.core.credentials.scram import ScramKeys
from whimbrel.core.credentials.stored import StoredPassword, mark, own_id
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.values import Secret
from whimbrel.services.session import stored_secrets as module
from whimbrel.services.session.passwords import NOBODY, hash_password, make_password, verify_password
from whimbrel.services.session.record import read_upgrade
from whimbrel.services.session.settings import SecuritySettings


def test_nothing_fits_the_verifier_of_nobody() -> None:
    stage = Stage(replace(account("alice"), password=NOBODY))
    assert run(stage.check("alice", RIGHT)).startswith("535")


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


def test_a_verifier_of_the_past_is_made_anew() -> None:
    from argon2 import PasswordHasher

    old = Secret(PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash(PASSWORD))
    stage = Stage(replace(account("alice"), password=old))
    run(stage.check("alice", WRONG))
    assert stage.state.values == {}

    async def signed_in() -> None:
        assert await stage.check("alice", RIGHT) == "alice@example.test"
        assert stage.secrets._rehashing is not None  # Nobody waits for it.
        await stage.secrets._rehashing

    run(signed_in())
    upgrade = read_upgrade(stage.state.values["credential", "alice@example.test"])
    assert upgrade is not None
    replaced, stored = upgrade
    assert (replaced, stored.id) == (mark(old), own_id(old))
    assert "m=19456,t=2,p=1" in stored.verifier.reveal() and verify_password(stored.verifier, RIGHT)
    assert ScramKeys.read(stored.keys["SCRAM-SHA-256"].reveal()).fit(PASSWORD)


def test_many_old_verifiers_are_made_anew_one_at_a_time_and_not_all_at_once() -> None:
    stage = Stage()
    others = (
        replace(account("bob"), id=AccountId(f"bob{number}@example.test")) for number in range(module.MAX_TO_REHASH)
    )
    stage.secrets._to_rehash.update({each.id: (each, RIGHT) for each in others})
    run(stage.check("alice", RIGHT))
    assert len(stage.secrets._to_rehash) == module.MAX_TO_REHASH


def test_connections_that_come_together_have_an_old_verifier_made_anew_once(monkeypatch: pytest.MonkeyPatch) -> None:
    stage, made = Stage(), list[object]()
    make = module.make_password

    def counted(*given: Any, **more: Any) -> StoredPassword:
        made.append(given)
        return make(*given, **more)

    monkeypatch.setattr(module, "make_password", counted)

    async def all_at_once() -> None:
        await asyncio.gather(*(stage.check("alice", RIGHT) for _ in range(20)))
        if stage.secrets._rehashing is not None:
            await stage.secrets._rehashing

    run(all_at_once())
    assert len(made) == 1


def test_an_upgrade_that_fails_is_logged_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage()

    def broken(*_given: object, **_more: object) -> StoredPassword:
        raise MemoryError("no memory")

    monkeypatch.setattr(module, "make_password", broken)

    async def signed_in() -> None:
        await stage.check("alice", RIGHT)
        assert stage.secrets._rehashing is not None
        await stage.secrets._rehashing

    run(signed_in())
    assert stage.log.named("signin.not-rehashed")
    assert PASSWORD not in repr(stage.log.records)
    assert stage.state.values.keys() == {("sign-in", "alice@example.test")}


def test_a_credential_outlives_an_upgrade_of_its_verifier_and_no_new_password() -> None:
    stage, old = Stage(), account("alice")
    credential = run(stage.secrets.verify(old, RIGHT))
    assert credential is not None
    assert stage.secrets.holds(old, credential)
    anew = make_password(RIGHT, credential=credential.removeprefix("password:"))
    upgraded = replace(old, password=anew.verifier, password_keys=anew.beside())
    assert stage.secrets.holds(upgraded, credential)
    assert run(stage.secrets.verify(upgraded, RIGHT)) == credential
    # The same words set as a new password are a new credential.
    assert not stage.secrets.holds(replace(old, password=hash_password(RIGHT)), credential)
    # A verifier that the former release wrote beside our keys is one as well.
    assert not stage.secrets.holds(replace(upgraded, password=hash_password(RIGHT)), credential)
    assert not stage.secrets.holds(replace(upgraded, password=Secret("")), credential)


def test_keys_of_who_has_none_are_the_same_in_every_process() -> None:
    first, second = Stage(), Stage()
    with_keys = make_password(RIGHT)
    alice = replace(account("alice"), password=with_keys.verifier, password_keys=with_keys.beside())

    def keys(stage: Stage, name: str) -> ScramKeys:
        user = {"alice": alice, "bob": account("bob")}.get(name)
        return ScramKeys.read(run(stage.secrets.keys(user, f"{name}@example.test", "SCRAM-SHA-256")).text.reveal())

    assert keys(first, "alice").fit(PASSWORD)
    for name in ("bob", "nobody"):
        assert keys(first, name).salt == keys(second, name).salt
        assert keys(first, name).iterations == keys(first, "alice").iterations
        assert not keys(first, name).fit(PASSWORD)


def test_a_key_that_cannot_be_read_is_a_matter_of_the_server() -> None:
    stage = Stage()

    def unreadable() -> bytes:
        raise OSError("secret.key: Input/output error")

    stage.secrets._unknown = unreadable
    with pytest.raises(MailError) as failed:
        run(stage.secrets.keys(None, "nobody@example.test", "SCRAM-SHA-256"))
    assert (failed.value.code, failed.value.detail) == (454, "secret.key: Input/output error")
