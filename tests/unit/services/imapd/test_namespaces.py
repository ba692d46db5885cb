"""A namespace more is a provider in a table: LIST, NAMESPACE and all commands see its mailboxes, its rights hold."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

import pytest

from tests.unit.services.imapd.house import ALICE, House
from whimbrel.core.commit import Append, Rendition
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import AccountId, Folder, Folders, FolderStatus, MailboxId, SpecialUse
from whimbrel.services.session import namespaces
from whimbrel.services.session.namespaces import ALL_RIGHTS, Kind, Mailboxes, Namespace, Personal, Right, allowed_flags

SHARED = AccountId("shared@example.test")
READER = Right.LOOKUP | Right.READ


class Shared:
    """Folders of one account, for all to see, with the same rights in each but `Hidden`."""

    kind, prefix = Kind.SHARED, "#shared/"

    def __init__(self, folders: Folders, rights: Right) -> None:
        self._folders, self._rights = folders, rights

    def _of(self, folder: Folder) -> tuple[Folder, Right]:
        return folder, Right(0) if folder.name == "Hidden" else self._rights

    async def list(self) -> Sequence[tuple[Folder, Right]]:
        return [self._of(folder) for folder in await self._folders.list(SHARED)]

    async def find(self, name: str) -> tuple[Folder, Right] | None:
        folder = await self._folders.find(SHARED, name)
        return None if folder is None else self._of(folder)

    async def create(self, name: str, special_use: SpecialUse | None) -> Folder:
        return await self._folders.create(SHARED, name, special_use)

    async def delete(self, name: str) -> None:
        await self._folders.delete(SHARED, name)

    async def rename(self, old: str, new: str) -> None:
        await self._folders.rename(SHARED, old, new)

    async def subscribe(self, name: str, *, subscribed: bool) -> None:
        await self._folders.subscribe(SHARED, name, subscribed=subscribed)

    async def subscriptions(self) -> Sequence[str]:
        return await self._folders.subscriptions(SHARED)

    async def statuses(self) -> Mapping[MailboxId, FolderStatus]:
        return await self._folders.statuses(SHARED)

    @property
    def accounts(self) -> Sequence[AccountId]:
        return (SHARED,)


def run(monkeypatch: pytest.MonkeyPatch, rights: Right, test: Callable[[House], Awaitable[None]]) -> None:
    def provider(folders: Folders, _account: AccountId) -> Namespace:
        return Shared(folders, rights)

    monkeypatch.setattr(namespaces, "NAMESPACES", (Personal, provider))

    async def whole() -> None:
        async with House() as house:
            for name in ("Team", "Hidden"):
                folder = await house.store.create(SHARED, name)
                await house.store.commit([Append(folder.ref, Rendition(b"", house.spool.hold(b"a: b\r\n\r\n")))])
            await test(house)

    asyncio.run(whole())


def test_namespace_and_list_show_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        assert await client.ask(b"NAMESPACE") == b'* NAMESPACE (("" "/")) NIL (("#shared/" "/"))\r\n'
        listed = await client.ask(b'LIST "" "#shared/*"')
        assert b'"/" #shared/Team\r\n' in listed and b"Hidden" not in listed
        assert b"#shared" in await client.ask(b'LIST "" *') and b"#shared" not in await client.ask(b'LIST "" %')
        assert b"MESSAGES 1" in await client.ask(b"STATUS #shared/Team (MESSAGES)")
        assert b"MESSAGES 1" in await client.ask(b'LIST "" #shared/Team RETURN (STATUS (MESSAGES))')
        assert b"* ESEARCH" in await client.ask(b'ESEARCH IN (MAILBOXES "#shared/Team") ALL')
        assert b"* ESEARCH" not in await client.ask(b"ESEARCH IN (PERSONAL) ALL")

    run(monkeypatch, READER, test)


@pytest.mark.parametrize(
    "command",
    [
        b"APPEND #shared/Team {6+}\r\na: b\r\n",
        b"COPY 1 #shared/Team",
        b"DELETE #shared/Team",
        b"RENAME #shared/Team #shared/x",
        b"CREATE #shared/Team/x",
        b'SETMETADATA #shared/Team (/private/comment "x")',
    ],
)
def test_what_no_right_is_granted_for_is_refused(monkeypatch: pytest.MonkeyPatch, command: bytes) -> None:
    async def test(house: House) -> None:
        await house.deliver(b"x: y\r\n\r\n")
        client = await house.signed_in(b"SELECT INBOX")
        said = await client.say(b"t " + command)
        assert b"t NO [NOPERM]" in said

    run(monkeypatch, READER, test)


def test_who_may_only_read_selects_read_only(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        assert b"[READ-ONLY]" in await client.say(b"t SELECT #shared/Team")
        assert b"t NO [CANNOT]" in await client.say(b"t STORE 1 +FLAGS (\\Seen)")
        assert b"FLAGS" not in await client.ask(b"FETCH 1 BODY[]")
        for command in (b"SELECT", b"DELETE", b"UNSUBSCRIBE"):
            said = await client.say(b"t " + command + b" #shared/Hidden")
            assert b"t NO [NONEXISTENT]" in said or command == b"UNSUBSCRIBE", said

    run(monkeypatch, READER, test)


def test_each_flag_has_its_right(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        said = await client.say(b"t SELECT #shared/Team")
        assert b"[READ-WRITE]" in said and b"[PERMANENTFLAGS (\\Seen)]" in said
        assert b"\\Seen" in await client.ask(b"STORE 1 +FLAGS (\\Seen)")
        for flags in (b"+FLAGS (\\Deleted)", b"+FLAGS (\\Flagged)", b"-FLAGS (x)", b"FLAGS (\\Seen)"):
            assert b"t NO [NOPERM]" in await client.say(b"t STORE 1 " + flags)
        assert b"t NO [NOPERM]" in await client.say(b"t EXPUNGE")
        assert b"t NO [NOPERM]" in await client.say(b"t MOVE 1 INBOX")
        await client.ask(b"COPY 1 INBOX")
        await client.ask(b"APPEND #shared/Team (\\Seen \\Deleted \\Flagged k) {6+}\r\na: b\r\n")
        assert b"FETCH (FLAGS (\\Seen" in (said := await client.ask(b"FETCH 2 FLAGS")) and b"Deleted" not in said

    run(monkeypatch, READER | Right.SEEN | Right.INSERT, test)


def test_changes_there_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"NOTIFY SET (MAILBOXES #shared/Team (MessageNew MessageExpunge))")
        found = await house.store.find(SHARED, "Team")
        assert found is not None
        await house.store.commit([Append(found.ref, Rendition(b"", house.spool.hold(b"a: b\r\n\r\n")))])
        assert b"* STATUS #shared/Team (MESSAGES 2" in await client.read()

    run(monkeypatch, READER, test)


def test_a_mailbox_stays_in_its_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(house: House) -> None:
        mailboxes = Mailboxes(house.store, ALICE)
        with pytest.raises(MailboxError) as refused:
            await mailboxes.rename("#shared/Team", "Team")
        assert refused.value.condition is Condition.CANNOT

    run(monkeypatch, ALL_RIGHTS, test)


def test_flags_beyond_the_rights_are_left_out() -> None:
    assert allowed_flags(31, ALL_RIGHTS) == 31 and allowed_flags(31, READER) == 0
    assert allowed_flags(31, Right.SEEN) == 1 and allowed_flags(31, Right.MARK) == 8
    assert allowed_flags(31, Right.WRITE) == 31 - 1 - 8
