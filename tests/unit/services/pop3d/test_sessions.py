"""Limits of a session: time, failures, and how much a stranger may send."""

import asyncio
import base64

from tests.support.smtp import PASSWORD
from tests.unit.services.pop3d.house import House
from whimbrel.core.network import Network
from whimbrel.services.pop3d.settings import Pop3Settings
from whimbrel.services.session.settings import SecuritySettings


def brief(**seconds: float) -> Pop3Settings:
    """Settings with times that no administrator could set."""
    return Pop3Settings.model_construct(**({"autologout": 600.0, "sign_in_time": 60.0, "mark_seen": True} | seconds))


def test_who_does_not_sign_in_in_time_is_sent_away() -> None:
    async def test() -> None:
        async with House(brief(sign_in_time=0.05)) as house:
            reader, writer = await house.dial()
            writer.write(b"CAPA\r\n")
            assert (await asyncio.wait_for(reader.read(), 10)).endswith(b".\r\n")

    asyncio.run(test())


def test_commands_do_not_lengthen_the_time_to_sign_in() -> None:
    async def test() -> None:
        async with House() as house:
            reader, writer = await house.dial()
            await reader.readline()
            writer.write(b"USER alice\r\n")
            await reader.readline()
            house.clock.forward(61)
            writer.write(f"CAPA\r\nPASS {PASSWORD}\r\nSTAT\r\n".encode())
            got = await asyncio.wait_for(reader.read(), 10)
            assert b"Signed in" not in got

    asyncio.run(test())


def test_a_silent_client_is_disconnected_and_deletes_nothing() -> None:
    async def test() -> None:
        async with House(brief(autologout=0.05)) as house:
            await house.deliver(b"Subject: x\r\n\r\n")
            reader, writer = await house.dial()
            writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nDELE 1\r\n".encode())
            got = await asyncio.wait_for(reader.read(), 10)
            assert got.count(b"+OK") == 4
            assert await house.left() == {1: 0}

    asyncio.run(test())


def test_guessing_passwords_ends_the_connection_with_the_same_words_for_all() -> None:
    async def test() -> None:
        async with House() as house:
            plain = base64.b64encode(b"\0alice\0hunter2").decode()
            carol = base64.b64encode(f"\0carol\0{PASSWORD}".encode()).decode()  # She is disabled.
            reader, writer = await house.dial()
            writer.write(
                f"USER alice\r\nPASS hunter2\r\nUSER nobody\r\nPASS hunter2\r\n"
                f"AUTH PLAIN {plain}\r\nAUTH PLAIN {carol}\r\n"
                f"AUTH PLAIN AAAA\r\nUSER alice\r\nPASS {PASSWORD}\r\n".encode()
            )
            lines = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n")
            refused = [line for line in lines if line.startswith(b"-")]
            assert refused == [b"-ERR [AUTH] Wrong user name or password"] * 5
            assert lines[-2] == refused[0]  # Then it was closed.
            records = str(house.log.records)
            assert PASSWORD not in records and "hunter2" not in records
            # A name that cannot be read is a failure as well: who looks for guessers sees all of them.
            assert len(house.log.named("signin.failed")) == 5

    asyncio.run(test())


def test_a_locked_account_is_told_to_come_again() -> None:
    async def test() -> None:
        local = (Network("127.0.0.0/8"),)
        async with House(SecuritySettings(plaintext_from=local, lock_out_after=2)) as house:
            reader, writer = await house.dial()
            for _ in range(3):
                writer.write(b"USER alice\r\nPASS hunter2\r\n")
            writer.write(f"USER alice\r\nPASS {PASSWORD}\r\nQUIT\r\n".encode())
            lines = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n")
            assert [line[:15] for line in lines if line.startswith(b"-")][-2:] == [b"-ERR [SYS/TEMP]"] * 2

    asyncio.run(test())


def test_a_line_without_end_ends_the_connection() -> None:
    async def test() -> None:
        async with House() as house:
            reader, writer = await house.dial()
            writer.write(b"x" * 100_000)  # Read at once: what is left unread would reset the connection.
            lines = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n")
            assert lines[1:] == [b"-ERR Line without end", b""]

    asyncio.run(test())


def test_a_client_that_speaks_something_else_is_cut_off() -> None:
    async def test() -> None:
        async with House() as house:
            reader, writer = await house.dial()
            writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nUser-Agent: y\r\nAccept: z\r\n\r\nA: b\r\nC: d\r\n")
            lines = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n")
            assert lines[1:] == [b"-ERR Unknown command"] * 5 + [b""]

    asyncio.run(test())


def test_a_sasl_exchange_that_goes_wrong_costs_only_itself() -> None:
    async def test() -> None:
        async with House() as house:
            reader, writer = await house.dial()
            secret = base64.b64encode(PASSWORD.encode()).decode()
            writer.write(
                f"AUTH PLAIN\r\n*\r\nAUTH PLAIN\r\n!!!\r\nAUTH LOGIN\r\nYWxpY2U=\r\n{secret}\r\nQUIT\r\n".encode()
            )
            lines = (await asyncio.wait_for(reader.read(), 10)).split(b"\r\n")[1:]
            assert lines == [
                b"+ ",
                b"-ERR Authentication given up",
                b"+ ",
                b"-ERR SASL response: not base64",
                b"+ VXNlcm5hbWU6",
                b"+ UGFzc3dvcmQ6",
                b"+OK Signed in",
                b"+OK Goodbye",
                b"",
            ]

    asyncio.run(test())


def test_what_was_piped_before_tls_counts_for_nothing() -> None:
    """RFC 2595 4, RFC 3207 4.2: an attacker's commands may come before the handshake."""

    async def test() -> None:
        from tests.support.certs import certificates

        certs = certificates()
        async with House(tls=certs.server()) as house:
            reader, writer = await house.dial()
            await reader.readline()
            writer.write(b"USER alice\r\nSTLS\r\nUSER mallory\r\n")
            assert (await reader.readline()).startswith(b"+OK")
            assert await reader.readline() == b"+OK Begin TLS\r\n"
            await writer.start_tls(certs.client(), server_hostname="localhost")
            writer.write(f"PASS {PASSWORD}\r\nQUIT\r\n".encode())
            assert await reader.readline() == b"-ERR USER comes first\r\n"
            assert await reader.readline() == b"+OK Goodbye\r\n"

    asyncio.run(test())
