"""Outgoing connections: TLS by policy, errors in words, nothing believed that was said before TLS."""

import asyncio
import socket
import ssl
import threading
from pathlib import Path

import pytest

from tests.support.certs import certificates, self_signed
from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.support.sinks import SmtpSink
from tests.unit.backends.net.loops import Run, both_loops
from whimbrel.backends.net.connector import NetConnector, NetLink, reason
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.core.errors import MailError
from whimbrel.core.net import NoSuchName, TlsMode, TlsPolicy

FILES = certificates("mail.example.test", "127.0.0.1")
NAME = "mail.example.test"


def tls_contexts() -> TlsContexts:
    return TlsContexts(
        FakeConfig(TlsSettings(authorities=str(FILES.authority))), Path("/nonexistent"), list, MemoryLog(), FakeClock()
    )  # fmt: skip


def connector(resolver: object = None, **options: float) -> NetConnector:
    return NetConnector(tls_contexts(), resolver, **options)  # type: ignore[arg-type]


async def line(link: NetLink) -> bytes:
    data = b""
    async with asyncio.timeout(5):
        while not data.endswith(b"\r\n"):
            more = await link.read()
            assert more
            data += more
    return data


async def dialogue(sink: SmtpSink, policy: TlsPolicy) -> NetLink:
    """Greeting, EHLO, STARTTLS, TLS, EHLO."""
    link = await connector().open(sink.host, sink.port, "", policy)
    assert (await line(link)).startswith(b"220")
    await link.write(b"EHLO us.test\r\n")
    await line(link)
    await link.write(b"STARTTLS\r\n")
    assert (await line(link)).startswith(b"220")
    await link.start_tls()
    await link.write(b"EHLO us.test\r\n")
    assert b"STARTTLS" not in await line(link)
    return link


@both_loops
def test_opportunistic_tls_takes_any_certificate_and_tells_whether_it_was_good(run: Run) -> None:
    async def main(server: ssl.SSLContext) -> tuple[str, bool, str]:
        with SmtpSink(tls=server) as sink:
            link = await dialogue(sink, TlsPolicy(TlsMode.OPPORTUNISTIC, NAME))
            assert link.tls is not None and link.tls.bits >= 128 and link.tls.cipher
            await link.close()
            return link.tls.version, link.tls.verified, link.tls.server_name

    assert run(main(FILES.server())) == ("TLSv1.3", True, NAME)
    assert run(main(self_signed(NAME))) == ("TLSv1.3", False, NAME)


@both_loops
def test_verified_tls_refuses_strangers_and_wrong_names(run: Run) -> None:
    async def main(server: ssl.SSLContext, name: str) -> bool:
        with SmtpSink(tls=server) as sink:
            link = await dialogue(sink, TlsPolicy(TlsMode.VERIFIED, name))
            assert link.tls is not None
            return link.tls.verified

    assert run(main(FILES.server(), NAME)) is True
    with pytest.raises(OSError, match=r"certificate not accepted: self.signed certificate"):
        run(main(self_signed(NAME), NAME))
    with pytest.raises(OSError, match="certificate not accepted: Hostname mismatch"):
        run(main(FILES.server(), "other.example.test"))


@both_loops
def test_implicit_tls_is_in_place_before_the_first_byte(run: Run) -> None:
    async def main() -> None:
        with SmtpSink(tls=FILES.server(), implicit=True) as sink:
            link = await connector().open("127.0.0.1", sink.port, "", TlsPolicy(TlsMode.IMPLICIT))
            assert link.tls is not None and link.tls.verified  # By its address: no name was given.
            assert (await line(link)).startswith(b"220")
            await link.close()

    run(main())


@both_loops
def test_what_was_said_before_tls_is_thrown_away(run: Run) -> None:
    async def main() -> None:
        context = FILES.server()
        ours, theirs = socket.socketpair()
        answered = threading.Event()

        def server() -> None:
            theirs.sendall(b"220 go ahead\r\n250-injected\r\n")
            answered.wait(5)
            with context.wrap_socket(theirs, server_side=True) as tls:
                tls.sendall(b"250 true\r\n")
                tls.recv(100)

        thread = threading.Thread(target=server)
        thread.start()
        loop = asyncio.get_running_loop()
        policy = TlsPolicy(TlsMode.OPPORTUNISTIC, NAME)
        _, link = await loop.create_connection(lambda: NetLink(tls_contexts(), policy, NAME), sock=ours)
        assert await line(link) == b"220 go ahead\r\n250-injected\r\n"
        link.data_received(b"250-injected later\r\n")  # Arrived, not yet read.
        answered.set()
        await link.start_tls()
        assert await line(link) == b"250 true\r\n"
        await link.close()
        thread.join(5)

    run(main())


@both_loops
def test_plaintext_injected_behind_starttls_never_becomes_a_reply(run: Run) -> None:
    async def main() -> None:
        with SmtpSink(tls=FILES.server(), inject=b"250 injected\r\n") as sink:
            link = await connector().open(sink.host, sink.port, "", TlsPolicy(TlsMode.OPPORTUNISTIC, NAME))
            await line(link)
            await link.write(b"STARTTLS\r\n")
            await line(link)
            try:
                await link.start_tls()
                await link.write(b"NOOP\r\n")
                assert await line(link) == b"250 2.0.0 OK\r\n"
            except OSError:
                pass  # It came behind the answer and broke the handshake: as good.

    run(main())


@both_loops
def test_a_failed_handshake_is_an_oserror_in_words_and_ends_the_link(run: Run) -> None:
    async def main() -> None:
        link, theirs = await _pair()
        theirs.send(b"220 go ahead\r\n")
        await line(link)
        theirs.send(b"454 4.7.0 not now, after all\r\n")
        with pytest.raises(OSError, match="TLS: ") as caught:
            await link.start_tls()
        assert "_ssl.c" not in str(caught.value)
        with pytest.raises(OSError):
            await link.write(b"MAIL FROM:<>\r\n")  # Never on in the clear.
        theirs.close()

    run(main())


@both_loops
def test_tls_that_is_switched_off_is_not_started(run: Run) -> None:
    async def main() -> None:
        with SmtpSink(tls=FILES.server()) as sink:
            link = await connector().open(sink.host, sink.port, "", TlsPolicy(TlsMode.NONE))
            with pytest.raises(OSError, match="switched off"):
                await link.start_tls()
            await link.close()

    run(main())


@both_loops
def test_a_closed_port_is_named_in_words(run: Run) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    async def main() -> None:
        await connector().open("127.0.0.1", port, "", TlsPolicy())

    with pytest.raises(OSError, match=rf"^127\.0\.0\.1:{port}: .*") as caught:
        run(main())
    assert "efused" in str(caught.value)


@both_loops
def test_the_source_address_is_ours_to_choose(run: Run) -> None:
    async def main() -> str:
        with SmtpSink() as sink:
            link = await connector().open("127.0.0.1", sink.port, "127.0.0.9", TlsPolicy())
            assert link.peer == f"127.0.0.1:{sink.port}"
            await link.close()
            return link.local

    assert run(main()).startswith("127.0.0.9:")
    with pytest.raises(OSError):
        run(_open_from("192.0.2.77"))
    with pytest.raises(OSError):
        run(_open_from("::1"))


async def _open_from(source: str) -> None:
    with SmtpSink() as sink:
        await connector().open("127.0.0.1", sink.port, source, TlsPolicy())


class Names:
    def __init__(self, *addresses: str, error: Exception | None = None) -> None:
        self.asked: list[str] = []
        self._addresses, self._error = list(addresses), error

    async def addresses(self, host: str) -> list[str]:
        self.asked.append(host)
        if self._error is not None:
            raise self._error
        return self._addresses


@both_loops
def test_each_address_of_a_name_is_tried_in_turn(run: Run) -> None:
    async def main() -> str:
        with SmtpSink() as sink:
            link = await connector(Names("127.0.0.7", "127.0.0.1")).open("relay.test", sink.port, "", TlsPolicy())
            await link.close()
            return link.peer.partition(":")[0]

    assert run(main()) == "127.0.0.1"


@both_loops
def test_names_that_do_not_resolve_are_oserrors(run: Run) -> None:
    failing = Names(error=MailError(451, "4.4.3", "later", detail="relay.test: no answer in time"))
    with pytest.raises(OSError, match="no answer in time"):
        run(connector(failing).open("relay.test", 25, "", TlsPolicy()))
    with pytest.raises(OSError, match=r"nothere\.invalid"):
        run(connector(Names(error=NoSuchName("nothere.invalid"))).open("nothere.invalid", 25, "", TlsPolicy()))
    names = Names()
    with SmtpSink() as sink:
        run(connector(names).open("localhost", sink.port, "", TlsPolicy()))
    assert names.asked == []


@both_loops
def test_a_port_that_swallows_connections_times_out(run: Run) -> None:
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        with pytest.raises(OSError, match="timed out"):
            run(connector(connect_timeout=0.2).open("127.0.0.1", full.getsockname()[1], "", TlsPolicy()))
        for filler in fillers:
            filler.close()


async def _pair() -> tuple[NetLink, socket.socket]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(lambda: NetLink(tls_contexts(), TlsPolicy(), ""), sock=ours)
    return link, theirs


@both_loops
def test_a_peer_that_hangs_up_is_an_end_and_then_an_error(run: Run) -> None:
    async def main() -> None:
        link, theirs = await _pair()
        theirs.send(b"421 bye\r\n")
        theirs.close()
        assert await link.read() == b"421 bye\r\n"
        assert await link.read() == b""
        with pytest.raises(OSError):
            for _ in range(5):
                await link.write(b"x" * 100_000)
                await asyncio.sleep(0)
        await link.close()

    run(main())


@both_loops
def test_a_peer_that_does_not_read_holds_the_writer_until_its_deadline(run: Run) -> None:
    async def main() -> None:
        link, theirs = await _pair()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                for _ in range(1000):
                    await link.write(b"x" * 65536)
        theirs.close()
        await link.close()

    run(main())


@both_loops
def test_a_peer_that_floods_is_held_back(run: Run) -> None:
    async def main() -> int:
        link, theirs = await _pair()
        sent = 0
        for _ in range(200):
            try:
                sent += theirs.send(b"y" * 65536)
            except BlockingIOError:
                await asyncio.sleep(0)
        assert sent < 4_000_000
        taken = 0
        while taken < sent:
            taken += len(await link.read())
        await link.close()
        theirs.close()
        return taken - sent

    assert run(main()) == 0


@both_loops
def test_silence_ends_at_the_callers_deadline(run: Run) -> None:
    async def main() -> None:
        link, theirs = await _pair()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await link.read()
        theirs.send(b"late\r\n")
        assert await link.read() == b"late\r\n"  # The link outlives a wait that was given up.
        theirs.close()
        await link.close()

    run(main())


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "Connection refused"),
        (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"), "TLS: [ssl: wrong version number]"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_errors_are_told_in_words(error: Exception, words: str) -> None:
    assert reason(error).startswith(words)
