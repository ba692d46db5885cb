"""Python's imaplib against the service, over a socket pair and TLS."""

import asyncio
import imaplib
import socket
from collections.abc import Callable

from tests.support.certs import certificates
from tests.unit.services.imapd.house import House
from whimbrel.backends.net.driver import Connection
from whimbrel.protocols.imap.engine import Event, Reply

MESSAGE = b"From: a@example.test\r\nSubject: hello\r\n\r\nThis is it.\r\n"


class PairedImap(imaplib.IMAP4):
    """Speaks over a socket that is connected already."""

    def __init__(self, sock: socket.socket) -> None:
        self._given = sock
        super().__init__("localhost")

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return self._given


async def served(house: House, talk: Callable[[socket.socket], None]) -> None:
    """Runs `talk` in a thread against one connection of the service."""
    ours, theirs = socket.socketpair()
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[None]] = []

    def ready(connection: Connection[Event, Reply]) -> None:
        tasks.append(loop.create_task(house.server.session(connection, "imap")))

    await loop.connect_accepted_socket(lambda: Connection(house.server.engine(), ready), sock=ours)
    theirs.settimeout(20)
    try:
        await asyncio.to_thread(talk, theirs)
        await asyncio.wait_for(tasks[0], 10)
    finally:
        theirs.close()


async def over_tls(talk: Callable[[socket.socket], None]) -> None:
    async with House(tls=certificates().server) as house:
        await served(house, talk)


def test_a_whole_session() -> None:
    def talk(sock: socket.socket) -> None:
        client = PairedImap(sock)
        assert "LOGINDISABLED" in client.capabilities and "STARTTLS" in client.capabilities
        assert client._simple_command("LOGIN", "alice", "secret")[0] == "NO"  # type: ignore[attr-defined]
        client.starttls(certificates().client())
        assert "LOGINDISABLED" not in client.capabilities and "AUTH=PLAIN" in client.capabilities
        client.authenticate("PLAIN", lambda _: b"\0alice\0secret")
        assert client.append("INBOX", "(\\Seen)", imaplib.Time2Internaldate(1_000_000_000), MESSAGE)[0] == "OK"
        assert client.select("INBOX") == ("OK", [b"1"])
        status, data = client.fetch("1", "(UID FLAGS BODY[])")
        assert status == "OK" and isinstance(data[0], tuple) and data[0][1] == MESSAGE
        assert client.search(None, "SUBJECT", "HELLO") == ("OK", [b"1"])
        assert client.search("UTF-8", "TEXT", '"this is"') == ("OK", [b"1"])
        assert client.uid("COPY", "1", '"Sent Items"')[0] == "OK"
        assert client.store("1", "+FLAGS", "\\Deleted")[0] == "OK"
        assert client.expunge() == ("OK", [b"1"])
        assert client.status('"Sent Items"', "(MESSAGES)") == ("OK", [b'"Sent Items" (MESSAGES 1)'])
        names = client.list()[1]
        assert b'(\\HasNoChildren \\Sent) "/" "Sent Items"' in names
        assert client.close()[0] == "OK"
        assert client.logout()[0] == "BYE"

    asyncio.run(over_tls(talk))


def test_a_message_larger_than_any_buffer_goes_in_and_comes_out_as_it_was() -> None:
    body = b"".join(b"%09d. line of a long message\r\n" % number for number in range(120_000))
    message = b"Subject: large\r\n\r\n" + body

    def talk(sock: socket.socket) -> None:
        client = PairedImap(sock)
        client.starttls(certificates().client())
        client.login("alice", "secret")
        client.append("INBOX", "", "", message)
        client.select("INBOX")
        data = client.fetch("1", "(BODY.PEEK[])")[1]
        assert isinstance(data[0], tuple) and data[0][1] == message
        data = client.fetch("1", "(BODY.PEEK[TEXT]<1000000.2000000>)")[1]
        assert isinstance(data[0], tuple) and data[0][1] == body[1_000_000:3_000_000]
        client.logout()

    asyncio.run(over_tls(talk))
