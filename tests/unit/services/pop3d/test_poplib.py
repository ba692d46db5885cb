"""Python's poplib against the service: what a real client asks, and gets."""

import asyncio
import poplib
from collections.abc import Awaitable, Callable

import pytest

from tests.support.certs import certificates
from tests.support.smtp import PASSWORD
from tests.unit.services.pop3d.house import ALICE, Client, House
from whimbrel.core.errors import Condition, MailboxError
from whimbrel.core.mailbox import DELETED, INBOX, SEEN, FlagChange, FlagOp
from whimbrel.core.uids import ALL, UidSet
from whimbrel.services.pop3d.settings import Pop3Settings

BIG = b"Subject: big\r\n\r\n" + b"".join(b"%07d line\r\n" % n for n in range(300_000)) + b".dot\r\n"  # 4 MB


def mail(number: int, body: bytes = b"Hello.\r\n") -> bytes:
    return b"Subject: %d\r\n\r\n" % number + body


def run(test: Callable[[House], Awaitable[None]], *sections: Pop3Settings) -> None:
    async def whole() -> None:
        async with House(*sections) as house:
            async with asyncio.timeout(60):
                await test(house)

    asyncio.run(whole())


def fetched(client: poplib.POP3, number: int) -> bytes:
    """The message as it came over the wire, dots undone."""
    _, lines, octets = client.retr(number)
    message = b"".join(line + b"\r\n" for line in lines)
    assert octets == len(message) + sum(line.startswith(b".") for line in lines)  # poplib counts doubled dots.
    return message


def test_messages_are_told_fetched_and_deleted() -> None:
    async def test(house: House) -> None:
        await house.deliver(*(mail(n, b"x" * n + b"\r\n") for n in range(1, 6)))

        def work(client: Client) -> None:
            client.sign_in()
            sizes = [len(mail(n, b"x" * n + b"\r\n")) for n in range(1, 6)]
            assert client.stat() == (5, sum(sizes))
            assert client.list()[1] == [b"%d %d" % (n, size) for n, size in enumerate(sizes, 1)]
            assert client.list(2) == b"+OK 2 %d" % sizes[1]
            assert [fetched(client, n) for n in (1, 3)] == [mail(1, b"x\r\n"), mail(3, b"xxx\r\n")]
            client.dele(3)
            client.dele(5)
            assert client.stat() == (3, sum(sizes) - sizes[2] - sizes[4])
            assert [line.split()[0] for line in client.list()[1]] == [b"1", b"2", b"4"]
            assert [line.split()[0] for line in client.uidl()[1]] == [b"1", b"2", b"4"]
            client.noop()
            client.quit()

        await house.poplib(work)
        assert await house.left() == {1: SEEN, 2: 0, 4: 0}

    run(test)


def test_nothing_is_deleted_without_quit_or_after_rset() -> None:
    async def test(house: House) -> None:
        await house.deliver(mail(1), mail(2))

        def leave(client: Client) -> None:
            client.sign_in().dele(1)
            client.close()

        def reset(client: Client) -> None:
            client.sign_in().dele(1)
            with pytest.raises(poplib.error_proto):
                client.retr(1)
            client.rset()
            assert fetched(client, 1) == mail(1)
            client.quit()

        await house.poplib(leave)
        assert await house.left() == {1: 0, 2: 0}
        await house.poplib(reset)
        assert await house.left() == {1: SEEN, 2: 0}

    run(test)


def test_reading_marks_as_seen_only_if_set() -> None:
    async def test(house: House) -> None:
        await house.deliver(mail(1))

        def work(client: Client) -> None:
            fetched(client.sign_in(), 1)
            client.top(1, 0)
            client.quit()

        await house.poplib(work)
        assert await house.left() == {1: 0}

    run(test, Pop3Settings(mark_seen=False))


def test_unique_ids_are_of_the_message_and_stay() -> None:
    async def test(house: House) -> None:
        await house.deliver(*(mail(n) for n in range(1, 5)))

        def ids(client: Client) -> dict[bytes, bytes]:
            client.sign_in()
            found = {}
            for line in client.uidl()[1]:
                number, uid = line.split()
                assert client.uidl(int(number)) == b"+OK " + line
                found[uid] = fetched(client, int(number))
            client.quit()
            return found

        before = await house.poplib(ids)
        ref = await house.inbox()
        await house.store.set_flags(ref, UidSet.of([2]), FlagChange(FlagOp.ADD, DELETED))
        await house.store.expunge(ref, ALL)
        await house.deliver(mail(2))  # The same content is another message.
        after = await house.poplib(ids)
        assert len(before) == len(after) == 4
        assert {uid: text for uid, text in before.items() if uid in after} == {
            uid: text for uid, text in after.items() if uid in before
        }
        assert len(before.keys() & after.keys()) == 3
        for uid in before:
            assert 0 < len(uid) <= 70 and all(0x21 <= octet <= 0x7E for octet in uid)  # RFC 1939 7

    run(test)


ODD = {
    "bare lf": b"Subject: x\n\nunix\n.dot\nlines\n",
    "mixed": b"A: 1\r\nB: 2\n\r\n\n\rx\r\n\r\r\n.\r\n..\r\n",
    "no end": b"Subject: x\r\n\r\nend",
    "no end, bare lf": b"Subject: x\n\nend",
    "cr at the end": b"Subject: x\r\n\r\nend\r",
    "dots": b".\r\n..\r\n...\r\n\r\n.",
    "8-bit and nul": b"Subject: \xff\0\r\n\r\n\0\xfe\r\n",
    "big": BIG,
    "big, bare lf": BIG.replace(b"\r\n", b"\n"),
}


@pytest.mark.parametrize("name", ODD)
def test_any_message_is_sent_whole_and_its_size_is_what_comes(name: str) -> None:
    async def test(house: House) -> None:
        await house.deliver(mail(1), ODD[name], mail(3))
        want = ODD[name].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        if not want.endswith(b"\n"):
            want += b"\r\n"

        async def once() -> None:
            reader, writer = await house.dial()
            writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nSTAT\r\nLIST 2\r\nRETR 2\r\nQUIT\r\n".encode())
            for _ in range(3):
                await reader.readline()
            stat, size = (await reader.readline()).split(), (await reader.readline()).split()
            assert (await reader.readline()).startswith(b"+OK")
            got = bytearray()
            while (line := await reader.readline()) != b".\r\n":
                assert line
                got += line[1:] if line.startswith(b".") else line
            assert bytes(got) == want
            assert (size[:2], int(size[2])) == ([b"+OK", b"2"], len(want))
            assert int(stat[2]) == len(want) + len(mail(1)) + len(mail(3))
            assert (await reader.readline()).startswith(b"+OK")
            assert await reader.read() == b""

        await once()
        await once()  # Now the sizes are known.

    run(test)


def test_what_others_expunge_meanwhile_is_still_read() -> None:
    async def test(house: House) -> None:
        await house.deliver(mail(1), mail(2))
        reader, writer = await house.dial()
        writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nSTAT\r\n".encode())
        for _ in range(4):
            await reader.readline()
        ref = await house.inbox()
        await house.store.set_flags(ref, ALL, FlagChange(FlagOp.ADD, DELETED))
        await house.store.expunge(ref, ALL)
        await house.deliver(mail(9))
        writer.write(b"RETR 2\r\nLIST\r\nDELE 1\r\nDELE 2\r\nRETR 3\r\nQUIT\r\n")
        got = await reader.read()
        assert b"Subject: 2\r\n\r\nHello.\r\n.\r\n+OK 2 messages" in got
        assert b"-ERR No such message\r\n+OK" in got
        assert list(await house.left()) == [3]  # Not seen by this session, so not deleted by it.

    run(test)


def test_many_messages_are_fetched_in_order_with_few_reads() -> None:
    class Counting:
        def __init__(self, house: House) -> None:
            self._store, self.reads = house.store, list[int]()

        def __getattr__(self, name: str) -> object:
            return getattr(self._store, name)

        async def contents(self, ref: object, uids: list[int]) -> object:
            self.reads.append(len(uids))
            return await self._store.contents(ref, uids)  # type: ignore[arg-type]

    async def whole() -> None:
        house = House()
        counting = house.messages = Counting(house)
        async with house:
            await house.deliver(*(mail(n) for n in range(1, 101)))

            def work(client: Client) -> None:
                client.sign_in()
                assert [fetched(client, n) for n in range(1, 101)] == [mail(n) for n in range(1, 101)]
                client.quit()

            await house.poplib(work)
            assert sum(counting.reads) == 100 and len(counting.reads) <= 8
            counting.reads.clear()

            def skip(client: Client) -> None:
                client.sign_in()
                assert [fetched(client, n) for n in (50, 3, 80)] == [mail(50), mail(3), mail(80)]

            await house.poplib(skip)
            assert counting.reads == [1, 1, 1]

    asyncio.run(whole())


def test_a_message_deleted_within_what_was_read_ahead_is_not_sent() -> None:
    async def test(house: House) -> None:
        await house.deliver(*(mail(n) for n in range(1, 6)))

        def work(client: Client) -> None:
            client.sign_in()
            assert fetched(client, 1) == mail(1)
            client.dele(2)
            with pytest.raises(poplib.error_proto):
                client.retr(2)
            assert fetched(client, 3) == mail(3)
            client.rset()
            assert fetched(client, 2) == mail(2)

        await house.poplib(work)

    run(test)


def test_top_reads_no_more_than_it_needs() -> None:
    async def test(house: House) -> None:
        await house.deliver(BIG, b"Subject: header only\r\n", b"\r\nbody\r\nmore\r\n", b"S: x\n\n.1\n2\n3")

        def work(client: Client) -> None:
            client.sign_in()

            def top(number: int, lines: int) -> list[bytes]:
                return client.top(number, lines)[1]

            assert top(1, 0) == [b"Subject: big", b""]
            assert top(1, 2) == [b"Subject: big", b"", b"0000000 line", b"0000001 line"]
            assert len(top(1, 100_000)) == 100_002
            assert top(1, 9_999_999_999)[-1] == b".dot"
            assert top(2, 5) == [b"Subject: header only"]
            assert top(3, 1) == [b"", b"body"]
            assert top(4, 2) == [b"S: x", b"", b".1", b"2"]
            assert top(4, 3) == top(4, 99) == [b"S: x", b"", b".1", b"2", b"3"]
            for bad in ("TOP 1", "TOP 9 1", "TOP 1 -1", "TOP 1 1 1", "TOP 0 1"):
                with pytest.raises(poplib.error_proto):
                    client._shortcmd(bad)  # type: ignore[attr-defined]

        await house.poplib(work)

    run(test)


def test_an_empty_maildrop_is_well() -> None:
    async def test(house: House) -> None:
        def work(client: Client) -> None:
            client.sign_in()
            assert (client.stat(), client.list()[1], client.uidl()[1]) == ((0, 0), [], [])
            with pytest.raises(poplib.error_proto):
                client.list(1)
            client.quit()

        await house.poplib(work)

    run(test)


def test_tls_by_stls_and_from_the_first_byte() -> None:
    async def test() -> None:
        certs = certificates()
        async with House(tls=certs.server(), plaintext=False) as house:
            await house.deliver(mail(1))

            def upgrade(client: Client) -> None:
                assert "STLS" in client.capa() and "USER" not in client.capa() and "SASL" not in client.capa()
                with pytest.raises(poplib.error_proto, match="TLS"):
                    client.user("alice")
                client.stls(certs.client())
                assert "STLS" not in client.capa() and client.capa()["SASL"] == ["PLAIN", "LOGIN"]
                assert fetched(client.sign_in(), 1) == mail(1)
                client.quit()

            def implicit(client: Client) -> None:
                assert "STLS" not in client.capa()
                assert fetched(client.sign_in(), 1) == mail(1)
                client.quit()

            await house.poplib(upgrade)
            await house.poplib(implicit, tls=certs.client())
            assert {record["service"] for record in house.log.named("signin.ok")} == {"pop3", "pop3s"}

    asyncio.run(test())


class Failing:
    """A store that refuses some calls."""

    def __init__(self, house: House, error: MailboxError, *calls: str) -> None:
        self._store, self._error, self.calls = house.store, error, set(calls)

    def __getattr__(self, name: str) -> object:
        async def refuse(*_: object, **__: object) -> None:
            raise self._error

        return refuse if name in self.calls else getattr(self._store, name)


def test_a_busy_store_is_told_as_such_and_nothing_is_lost() -> None:
    async def whole() -> None:
        house = House()
        busy = MailboxError(Condition.INUSE, "The folder is being rebuilt, try again", detail="secret path")
        failing = house.messages = Failing(house, busy, "octets")
        async with house:
            await house.deliver(mail(1))

            def refused(client: Client) -> None:
                with pytest.raises(poplib.error_proto, match=r"\[IN-USE\] The folder is being rebuilt, try again"):
                    client.sign_in()

            await house.poplib(refused)
            failing.calls = {"contents", "expunge"}

            def halfway(client: Client) -> None:
                client.sign_in()
                with pytest.raises(poplib.error_proto, match="IN-USE"):
                    client.retr(1)
                client.dele(1)
                with pytest.raises(poplib.error_proto, match="IN-USE"):
                    client.quit()

            await house.poplib(halfway)
            assert list(await house.left()) == [1]
            assert all("secret path" in str(record["detail"]) for record in house.log.named("pop3.refused"))
            failing.calls = set()
            await house.poplib(lambda client: client.sign_in().stat())

    asyncio.run(whole())


def test_a_message_that_breaks_off_ends_the_connection() -> None:
    """Half a message with a proper end would be taken for a whole one, and the original deleted."""

    async def whole() -> None:
        house = House()
        store = house.store

        class Vanishing(Failing):
            async def content(self, ref: object, uid: int, start: int = 0, length: int | None = None) -> bytes | None:
                return await store.content(ref, uid, start, length) if start < 1 << 20 else None  # type: ignore[arg-type]

        house.messages = Vanishing(house, MailboxError(Condition.INUSE, ""))
        async with house:
            await house.deliver(BIG)
            reader, writer = await house.dial()
            writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nRETR 1\r\nQUIT\r\n".encode())
            got = b""
            try:
                while piece := await reader.read(1 << 20):
                    got += piece
            except ConnectionError:
                pass
            assert b"\r\n.\r\n" not in got and b"Goodbye" not in got
            assert house.log.named("pop3.broken")

    asyncio.run(whole())


def test_a_bug_is_logged_and_answered_once() -> None:
    async def whole() -> None:
        house = House()

        class Broken(Failing):
            async def octets(self, *_: object) -> None:
                raise ZeroDivisionError

        house.messages = Broken(house, MailboxError(Condition.INUSE, ""))
        async with house:
            reader, writer = await house.dial()
            writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nSTAT\r\n".encode())
            lines = (await reader.read()).split(b"\r\n")
            assert lines[2:] == [b"-ERR [SYS/TEMP] Internal error", b""]
            assert len(house.log.named("session.crashed")) == 1
            house.log.records.clear()

    asyncio.run(whole())


def test_accounts_see_their_own_mail_only() -> None:
    async def test(house: House) -> None:
        await house.deliver(mail(1))

        def work(client: Client) -> None:
            client.user("bob@example.test")
            client.pass_(PASSWORD)
            assert client.stat() == (0, 0)

        await house.poplib(work)
        assert (await house.store.find(ALICE, INBOX)) is not None

    run(test)


def test_what_is_read_ahead_is_told_in_the_clients_language() -> None:
    async def test(house: House) -> None:
        await house.deliver(mail(1), mail(2), b"no end", b"bare\nends\n.\n")

        def work(client: Client) -> None:
            client.sign_in()
            client._shortcmd("LANG de")
            for number, lines in ((1, None), (2, None), (3, [b"no end"]), (4, [b"bare", b"ends", b"."])):
                said, found, _ = client.retr(number)
                assert said == b"+OK Es folgt die Nachricht"
                assert lines is None or found == lines
            client.quit()

        await house.poplib(work)

    run(test)
