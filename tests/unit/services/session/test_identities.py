"""Open sessions live by the account as it is now."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import pytest

from tests.support.smtp import account
from tests.unit.services.session.stage import RIGHT, Stage, run
from whimbrel.core.directory import Account
from whimbrel.core.errors import MailError
from whimbrel.core.mailbox import AccountId
from whimbrel.core.rights import Grants, Right
from whimbrel.core.values import Secret
from whimbrel.services.session import identities as module
from whimbrel.services.session.identities import SignedIn, SignedOut
from whimbrel.services.session.passwords import hash_password, make_password


class Bell:
    """A connection that waits."""

    def __init__(self) -> None:
        self.rung = 0

    def wake(self) -> None:
        self.rung += 1


class Open:
    """One session of each of `names`; `changed` is a notice, and what it leads to."""

    def __init__(self, *names: str) -> None:
        self.stage, self.names = Stage(), names or ("alice",)
        self.bells = [Bell() for _ in self.names]
        self.signed: list[SignedIn] = []
        self.asked: list[str] = []
        ask = self.stage.directory.account

        async def account(name: AccountId) -> Account | None:
            self.asked.append(name)
            return await ask(name)

        self.stage.directory.account = account  # type: ignore[method-assign]

    async def start(self) -> None:
        for name, bell in zip(self.names, self.bells, strict=True):
            entry = self.stage.directory.accounts[f"{name}@example.test"]
            credential = await self.stage.secrets.verify(entry, RIGHT)
            self.signed.append(self.stage.watch.hold(entry, "PLAIN", credential or "", bell))

    async def changed(self, key: str = "") -> None:
        self.stage.watch.heard(key)
        while self.stage.watch._sweep is not None:
            await asyncio.sleep(0)


def scene(test: "Coroutine[Any, Any, None]") -> None:
    run(test)


def test_nothing_is_asked_while_nothing_changes() -> None:
    async def test() -> None:
        sessions = Open()
        await sessions.start()
        for _ in range(100):
            assert not sessions.signed[0].outdated
            await sessions.signed[0].renew()
        assert sessions.asked == []

    scene(test())


def test_a_changed_limit_counts_at_the_next_command_and_wakes_nobody() -> None:
    async def test() -> None:
        sessions = Open("alice", "alice", "bob")
        await sessions.start()
        sessions.stage.directory.change("alice", quota_bytes=5, grants=Grants.of("server-read"))
        await sessions.changed()
        assert [signed.account.quota_bytes for signed in sessions.signed] == [5, 5, 0]
        assert sessions.signed[0].identity.grants.allows(Right.SERVER_READ)
        assert sessions.signed[0].account is sessions.signed[1].account, "sessions of one user share it"
        assert sessions.asked == ["alice@example.test", "bob@example.test"], "each is looked up once"
        assert [bell.rung for bell in sessions.bells] == [0, 0, 0]

    scene(test())


def test_a_command_between_the_change_and_its_notices_end_asks_itself() -> None:
    async def test() -> None:
        sessions = Open()
        await sessions.start()
        sessions.stage.directory.change("alice", quota_bytes=5)
        sessions.stage.watch.heard("")
        assert sessions.signed[0].outdated
        assert (await sessions.signed[0].renew()).quota_bytes == 5

    scene(test())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"enabled": False}, "the user was disabled"),
        ({"password": hash_password(Secret("new"))}, "the password was changed"),
        ({"password": Secret("")}, "the password was changed"),
        (None, "the user was removed"),
    ],
)
def test_who_may_not_be_here_any_more_is_woken_and_ends(change: dict[str, object] | None, reason: str) -> None:
    async def test() -> None:
        sessions = Open("alice", "bob")
        await sessions.start()
        if change is None:
            del sessions.stage.directory.accounts["alice@example.test"]
        else:
            sessions.stage.directory.change("alice", **change)
        await sessions.changed()
        assert [bell.rung for bell in sessions.bells] == [1, 0]
        for _ in range(2):
            with pytest.raises(SignedOut, match=reason):
                await sessions.signed[0].renew()
        await sessions.signed[1].renew()

    scene(test())


def test_an_upgraded_verifier_of_the_same_password_ends_nothing() -> None:
    async def test() -> None:
        sessions = Open()
        await sessions.start()
        anew = make_password(RIGHT, credential=sessions.signed[0].credential.removeprefix("password:"))
        sessions.stage.give_keys("alice", anew)
        await sessions.changed()
        assert sessions.bells[0].rung == 0
        assert (await sessions.signed[0].renew()).password == anew.verifier

    scene(test())


def test_a_notice_of_one_account_asks_for_that_one_alone() -> None:
    async def test() -> None:
        sessions = Open("alice", "bob")
        await sessions.start()
        sessions.stage.directory.change("bob", enabled=False)
        await sessions.changed("bob@example.test")
        assert sessions.asked == ["bob@example.test"]
        assert [bell.rung for bell in sessions.bells] == [0, 1]
        await sessions.changed("nobody@example.test")
        assert sessions.asked == ["bob@example.test"]

    scene(test())


def test_a_directory_that_cannot_be_asked_ends_nobody_and_is_asked_again() -> None:
    async def test() -> None:
        sessions = Open()
        await sessions.start()
        answer = sessions.stage.directory.account

        async def down(_name: AccountId) -> Account | None:
            raise MailError(451, "4.3.0", "not now", detail="disk")

        sessions.stage.directory.account = down  # type: ignore[method-assign]
        sessions.stage.directory.change("alice", enabled=False)
        await sessions.changed()
        assert sessions.stage.log.named("signin.not-renewed")
        assert (await sessions.signed[0].renew()).enabled
        assert sessions.signed[0].outdated
        sessions.stage.directory.account = answer  # type: ignore[method-assign]
        with pytest.raises(SignedOut):
            await sessions.signed[0].renew()

    scene(test())


def test_a_change_while_it_is_asked_is_not_missed() -> None:
    async def test() -> None:
        sessions = Open()
        await sessions.start()
        ask = sessions.stage.directory.account
        times = 0

        async def slow(name: AccountId) -> Account | None:
            nonlocal times
            times += 1
            answer = await ask(name)
            if times == 1:  # The answer is on its way, and old already.
                sessions.stage.directory.change("alice", enabled=False)
                sessions.stage.watch.heard("")
            return answer

        sessions.stage.directory.account = slow  # type: ignore[method-assign]
        await sessions.changed()
        assert times == 2
        assert sessions.bells[0].rung == 1

    scene(test())


def test_a_lost_notice_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_AT_LEAST", 0.001)

    async def test() -> None:
        sessions = Open()
        await sessions.start()
        sessions.stage.directory.change("alice", enabled=False)
        await asyncio.sleep(0.01)
        assert sessions.bells[0].rung == 0
        sessions.stage.version = 2
        async with asyncio.timeout(10):
            while not sessions.bells[0].rung:
                await asyncio.sleep(0.001)
        sessions.stage.watch.close()

    scene(test())


def test_a_session_that_is_over_is_not_asked_about() -> None:
    async def test() -> None:
        sessions = Open()
        await sessions.start()
        sessions.signed[0].close()
        sessions.signed[0].close()
        await sessions.changed()
        assert (sessions.asked, sessions.bells[0].rung) == ([], 0)

    scene(test())


def test_a_credential_of_another_kind_ends_when_its_holder_says_so() -> None:
    async def test() -> None:
        stage = Stage()
        left = {"app:1"}
        stage.watch._holders["app"] = lambda _account, credential: credential in left
        alice = account("alice")
        stays, goes = (stage.watch.hold(alice, "PLAIN", credential, Bell()) for credential in ("kerberos", "app:1"))
        left.clear()
        stage.watch.heard("")
        await stays.renew()
        with pytest.raises(SignedOut, match="the app was withdrawn"):
            await goes.renew()

    scene(test())
