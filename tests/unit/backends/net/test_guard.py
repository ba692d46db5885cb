"""Requests on others' behalf reach nothing that only this server can reach."""

import asyncio
from collections.abc import Sequence

import pytest

from tests.support.sinks import SmtpSink
from tests.unit.backends.net.test_connector import tls_contexts
from whimbrel.backends.net.guard import AddressGuard, GuardedConnector
from whimbrel.core.net import NoSuchName, TlsMode, TlsPolicy

PLAIN = TlsPolicy(TlsMode.NONE)
OWN = "9.9.9.9"

PRIVATE = [
    "127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1",
    "192.0.2.1", "198.18.0.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", OWN,
    "::1", "::", "fe80::1", "fe80::1%1", "fc00::1", "fd12::1", "ff02::1", "2001:db8::1", "fec0::1",
    "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::ffff:9.9.9.9",
    "2002:7f00:1::", "2002:a00:1::1", "64:ff9b::7f00:1", "64:ff9b::a00:1", "64:ff9b:1::a00:1",
    "2001:0:a00:1:0:0:f5ff:fffe",
]  # fmt: skip
PUBLIC = ["8.8.8.8", "1.1.1.1", "2606:4700:4700::1111", "2002:808:808::1", "64:ff9b::808:808"]


def guard(*allowed: str) -> AddressGuard:
    return AddressGuard(allowed, own=lambda address: address == OWN)


@pytest.mark.parametrize("address", PRIVATE)
def test_what_is_not_public_or_ours_is_refused_in_every_spelling(address: str) -> None:
    assert guard().refusal(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_reached(address: str) -> None:
    assert guard().refusal(address) == ""


def test_what_an_administrator_named_is_reached_and_nothing_beside_it() -> None:
    assert guard("10.1.2.0/24").refusal("10.1.2.3") == ""
    assert guard("10.1.2.0/24").refusal("10.1.3.3")
    assert guard("127.0.0.1").refusal("127.0.0.2")


class Rebinding:
    """A resolver whose answers change from one question to the next."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self.answers, self.asked = list(answers), 0

    async def addresses(self, host: str) -> list[str]:
        self.asked += 1
        if not self.answers:
            raise NoSuchName(host)
        return list(self.answers.pop(0))


def connector(resolver: object, *allowed: str) -> GuardedConnector:
    return GuardedConnector(tls_contexts(), resolver, lambda: allowed, own=lambda address: False)  # type: ignore[arg-type]


def refused(resolver: object, host: str, port: int, *, named: bool = False) -> str:
    async def work() -> None:
        guarded = connector(resolver)
        link = await (guarded.open_named if named else guarded.open)(host, port, "", PLAIN)
        await link.close()

    with pytest.raises(OSError, match="not connected to") as caught:
        asyncio.run(work())
    return str(caught.value)


def test_a_name_that_leads_to_a_private_address_is_refused_before_anything_is_connected() -> None:
    with SmtpSink() as sink:
        assert "127.0.0.1" in refused(Rebinding(["127.0.0.1"]), "evil.example.net", sink.port)
        assert refused(Rebinding(["127.0.0.1"]), "evil.example.net", sink.port, named=True)  # A name is no address.


def test_a_name_that_changes_its_meaning_is_looked_up_once_and_that_answer_is_used() -> None:
    resolver = Rebinding(["127.0.0.1"], ["8.8.8.8"])
    refused(resolver, "evil.example.net", 25)
    assert resolver.asked == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "localhost", "127.1", "2130706433", "0x7f000001", "0"])
def test_this_machine_is_refused_however_it_is_spelled(host: str) -> None:
    with SmtpSink() as sink:
        refused(Rebinding(), host, sink.port)


def test_an_address_that_was_typed_by_an_administrator_is_reached() -> None:
    async def work(sink: SmtpSink, *, allowed: Sequence[str], named: bool) -> bytes:
        guarded = connector(Rebinding(["127.0.0.1"]), *allowed)
        link = await (guarded.open_named if named else guarded.open)(
            "127.0.0.1" if named else "inside.example.net", sink.port, "", PLAIN
        )
        data = await link.read()
        await link.close()
        return data

    with SmtpSink() as sink:
        assert asyncio.run(work(sink, allowed=(), named=True)).startswith(b"220")
        assert asyncio.run(work(sink, allowed=("127.0.0.0/8",), named=False)).startswith(b"220")
