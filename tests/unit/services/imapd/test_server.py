"""The life of a connection: sign-in, limits, faults of ours, and what a client must never be told too early or late."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest

from tests.unit.protocols.imap.engines import GRAMMAR, understood
from tests.unit.protocols.imap.test_grammar import UNDERSTOOD
from tests.unit.services.imapd.house import ALICE, House, account
from whimbrel.core.errors import Condition, MailboxError, MailError
from whimbrel.core.mailbox import DELETED, FlagChange, FlagOp
from whimbrel.core.uids import ALL
from whimbrel.protocols.imap.append import Append, Replace
from whimbrel.protocols.imap.basic import StartTls
from whimbrel.protocols.imap.binary import BinarySection
from whimbrel.protocols.imap.fetch import BODY, BodySection
from whimbrel.protocols.imap.grammar import Reader, SearchKey, State
from whimbrel.services.imapd import OFFERS
from whimbrel.services.imapd.conditions import _COMPILERS
from whimbrel.services.imapd.fetch import COLUMNS
from whimbrel.services.imapd.lookups import LOOKUPS
from whimbrel.services.imapd.status import STATUS_ITEMS

EXTENDED = (
    b"SORT (SUBJECT) UTF-8 ALL", b"THREAD REFERENCES UTF-8 ALL", b"ESEARCH IN (personal) ALL", b"GETQUOTA x",
    b"NOTIFY NONE", b"COMPRESS DEFLATE", b"UNAUTHENTICATE",
    b"GETQUOTAROOT x", b"GETMETADATA x /private/a", b"SETMETADATA x (/private/a NIL)",
)  # fmt: skip
PLAIN_COMMANDS = (b"NOOP", b"CHECK", b"LOGOUT", b"IDLE", b"NAMESPACE", b"CAPABILITY")


def run(test: Callable[[House], Awaitable[None]], house: House | None = None) -> None:
    async def inside() -> None:
        async with house or House() as ready:
            await test(ready)

    asyncio.run(inside())


def test_passwords_are_not_taken_in_the_clear_from_elsewhere() -> None:
    async def test(house: House) -> None:
        client = house.connect("192.0.2.1")
        greeting = await client.read()
        assert b"LOGINDISABLED" in greeting and b"AUTH=" not in greeting
        assert await client.say(b"a LOGIN alice secret") == b"a NO [PRIVACYREQUIRED] Start TLS first\r\n"
        answer = await client.say(b"b AUTHENTICATE PLAIN AGFsaWNlAHNlY3JldA==")
        assert answer == b"b NO [PRIVACYREQUIRED] Start TLS first\r\n"
        assert not house.log.named("signin.ok")

    run(test)


def test_neither_passwords_nor_mail_reach_the_logs() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        await client.say(b"a APPEND INBOX {17+}", b"Subject: private!", b"b SELECT INBOX", b"c FETCH 1 BODY[]")
        await client.say(b"d BOGUS hunter2", b"e LOGIN alice hunter2")
        assert not [record for record in house.log.records if "secret" in str(record) or "private" in str(record)]
        assert "hunter2" not in str(house.log.records)

    run(test)


def test_a_sign_in_whose_name_cannot_be_read_is_logged_as_failed() -> None:
    async def test(house: House) -> None:
        client = house.connect()
        await client.read()
        assert b"[AUTHENTICATIONFAILED]" in await client.say(b"a AUTHENTICATE PLAIN AHgbAHNlY3JldA==")  # x, escape
        (record,) = house.log.named("signin.failed")
        assert (record["user"], record["sender_host"], record["method"]) == ("", "127.0.0.1", "PLAIN")

    run(test)


def test_a_bug_of_ours_costs_one_command_and_is_logged_once() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")

        async def broken(*_: object) -> None:
            raise ZeroDivisionError

        house.store.flags = broken  # type: ignore[method-assign, assignment]
        await house.deliver(b"a: b\r\n")
        await client.ask(b"NOOP")
        assert await client.say(b"a FETCH 1 FLAGS") == b"a NO [SERVERBUG] Internal error\r\n"
        assert len(house.log.named("session.crashed")) == 1
        house.log.records.clear()
        assert await client.ask(b"NOOP") == b""

    run(test)


def test_what_the_store_refuses_is_told_in_words_of_imap() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()

        async def busy(*_: object, **__: object) -> None:
            raise MailError(451, "4.3.0", "Try again later", detail="disk on fire")

        house.store.create = busy  # type: ignore[method-assign, assignment]
        assert await client.say(b"a CREATE x") == b"a NO [UNAVAILABLE] Try again later\r\n"
        assert house.log.named("imap.refused")[0]["detail"] == "disk on fire"

    run(test)


def test_a_special_use_that_another_folder_has_is_refused_as_such() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()

        async def taken(*_: object, **__: object) -> None:
            raise MailboxError(Condition.ALREADYEXISTS, "There is such a folder")

        house.store.create = taken  # type: ignore[method-assign, assignment]
        assert (await client.say(b"a CREATE x (USE (\\Junk))")).startswith(b"a NO [USEATTR]")
        assert (await client.say(b"b CREATE Drafts (USE (\\Junk))")).startswith(b"b NO [ALREADYEXISTS]")
        assert (await client.say(b"c CREATE x")).startswith(b"c NO [ALREADYEXISTS]")

    run(test)


def test_an_account_that_is_full_takes_no_more() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        await client.ask(b"APPEND INBOX {60+}\r\n" + b"a" * 60)
        assert b"a NO [OVERQUOTA]" in await client.say(b"a APPEND INBOX {60}")
        await client.ask(b"SELECT INBOX")
        assert b"b NO [OVERQUOTA]" in await client.say(b"b COPY 1 Archive")
        assert b"c OK" in await client.say(b"c MOVE 1 Archive")

    run(test, House(accounts=(account(quota_bytes=100),)))


def test_a_disabled_account_cannot_sign_in() -> None:
    async def test(house: House) -> None:
        client = house.connect()
        await client.read()
        assert b"a NO [AUTHENTICATIONFAILED]" in await client.say(b"a LOGIN alice secret")

    run(test, House(accounts=(account(enabled=False),)))


def test_a_client_that_hangs_up_within_a_message_leaves_nothing_behind() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        await client.say(b"a APPEND INBOX {100}", b"half of it")
        await client.hang_up()
        house.clients.clear()
        assert (await house.store.usage(ALICE)).messages == 0

    run(test)


def test_hints_end_with_the_mailbox() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX", b"SELECT Drafts", b"EXAMINE INBOX")
        assert len(house.store._watchers[ALICE]) == 1
        await client.ask(b"UNSELECT")
        assert not house.store._watchers[ALICE]
        await client.ask(b"SELECT INBOX")
        await client.hang_up()
        house.clients.clear()
        assert not house.store._watchers[ALICE]

    run(test)


def test_nothing_is_asked_of_the_store_while_nothing_changed() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        changes, asked = house.store.changes, []

        async def counted(*args: object) -> object:
            asked.append(args)
            return await changes(*args)  # type: ignore[arg-type]

        house.store.changes = counted  # type: ignore[method-assign, assignment]
        for _ in range(3):
            await client.ask(b"UID FETCH 1:* FLAGS")
        assert not asked
        await client.ask(b"NOOP")
        assert len(asked) == 1

    run(test)


def test_new_mail_is_recent_in_the_first_session_that_hears_of_it_alone() -> None:
    async def test(house: House) -> None:
        first, second = await house.signed_in(b"SELECT INBOX"), await house.signed_in(b"SELECT INBOX")
        await house.deliver(b"a: b\r\n")
        assert await first.ask(b"NOOP") == b"* 1 EXISTS\r\n* 1 RECENT\r\n"
        assert await second.ask(b"NOOP") == b"* 1 EXISTS\r\n* 0 RECENT\r\n"

    run(test)


def test_expunge_spares_what_the_client_was_not_told_of() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        await house.deliver(b"a: b\r\n", flags=DELETED)
        await client.ask(b"SELECT INBOX")
        await house.deliver(b"c: d\r\n", flags=DELETED)
        assert await client.ask(b"EXPUNGE") == b"* 1 EXPUNGE\r\n* 1 EXISTS\r\n* 1 RECENT\r\n"

    run(test)


def test_many_expunges_and_arrivals_at_once() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        for _ in range(5):
            await house.deliver(b"a: b\r\n")
        await client.ask(b"SELECT INBOX")
        folder = await house.store.find(ALICE, "INBOX")
        assert folder is not None
        await house.store.set_flags(folder.ref, ALL, FlagChange(FlagOp.ADD, DELETED))
        await house.store.expunge(folder.ref, ALL)
        for _ in range(2):
            await house.deliver(b"a: b\r\n")
        answer = await client.ask(b"NOOP")
        assert answer == b"".join(b"* %d EXPUNGE\r\n" % n for n in (5, 4, 3, 2, 1)) + b"* 2 EXISTS\r\n* 2 RECENT\r\n"
        assert await client.ask(b"UID SEARCH ALL") == b"* SEARCH 6 7\r\n"

    run(test)


def test_a_gap_in_the_history_is_answered_by_looking_at_all() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in()
        for _ in range(3):
            await house.deliver(b"a: b\r\n")
        await client.ask(b"SELECT INBOX")
        folder = await house.store.find(ALICE, "INBOX")
        assert folder is not None
        memory = house.store._open(folder.ref)
        del memory.messages[2]
        changes = house.store.changes

        async def gap(ref: object, since: int) -> object:
            return replace(await changes(folder.ref, 0), complete=False)

        house.store.changes = gap  # type: ignore[method-assign, assignment]
        answer = await client.ask(b"NOOP")
        assert answer.startswith(b"* 2 EXPUNGE\r\n") and answer.count(b"FETCH (FLAGS") == 2

    run(test)


def test_special_folders_are_made_once() -> None:
    async def test(house: House) -> None:
        first = await house.signed_in()
        await first.ask(b"DELETE Drafts")
        second = await house.signed_in()
        assert b"Drafts" not in await second.ask(b'LIST "" *')

    run(test)


def test_every_command_and_item_of_the_grammar_is_served() -> None:
    handled = {kind for offer in OFFERS for kind in offer.handlers}
    before = {understood(line, State.NOT_AUTHENTICATED) for line in (b"a LOGIN a b", b"a AUTHENTICATE X")}
    after = {arguments for _, arguments in UNDERSTOOD} | {
        understood(b"a " + name) for name in PLAIN_COMMANDS + EXTENDED
    }
    assert {type(arguments) for arguments in before | after} | {StartTls, Append, Replace} == handled
    assert GRAMMAR.status_items == set(STATUS_ITEMS)
    # By name: slotted dataclasses leave their first, slotless selves among the subclasses.
    assert {kind.__name__ for kind in SearchKey.__subclasses__()} == {kind.__name__ for kind in _COMPILERS}
    for name, read in GRAMMAR.fetch_items.items():
        item = read(Reader(b"[]", GRAMMAR)) if name != b"BODY" else BODY
        assert item in COLUMNS or item in LOOKUPS or isinstance(item, BodySection | BinarySection), name


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_a_slow_client_is_served_the_same(chunk: int) -> None:
    async def test(house: House) -> None:
        client = house.connect()
        await client.read()
        data = (
            b"a LOGIN {5+}\r\nalice secret\r\nb APPEND INBOX {6+}\r\na: b\r\n\r\nc SELECT INBOX\r\nd FETCH 1 BODY[]\r\n"
        )
        for at in range(0, len(data), chunk):
            client.connection.data_received(data[at : at + chunk])
            await asyncio.sleep(0)
        assert b"BODY[] {6}\r\na: b\r\n)\r\nd OK" in await client.read()

    run(test)


@pytest.mark.parametrize("before", [(), (b"a IDLE",), (b"a NOTIFY SET (SELECTED (MessageNew MessageExpunge))",)])
def test_a_shutdown_is_told_to_clients_that_wait(before: tuple[bytes, ...]) -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        if before:
            await client.say(*before)
        assert client.task is not None
        client.task.cancel()
        assert await client.read() == b"* BYE Server shutting down\r\n"
        assert client.task.cancelled()

    run(test)


def test_a_shutdown_does_not_speak_into_a_response() -> None:
    async def test(house: House) -> None:
        client = await house.signed_in(b"SELECT INBOX")
        stuck = asyncio.Event()

        async def noop(*_: object) -> None:
            await client.connection.send_bytes(b"* 1 FETCH (BODY[] {5}\r\nhel")
            await stuck.wait()

        house.server._ports.folders.status = noop  # type: ignore[assignment,method-assign]
        said = await client.say(b"a STATUS INBOX (MESSAGES)")
        assert client.task is not None
        client.task.cancel()
        assert said + await client.read() == b"* 1 FETCH (BODY[] {5}\r\nhel"

    run(test)
