"""Which servers are tried for a domain, in which order."""

import asyncio

import pytest

from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import FakeResolver
from whimbrel.core.address import Address, Domain
from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, TlsMode
from whimbrel.core.values import Secret
from whimbrel.flow.delivery.destination import MAX_SERVERS, Destination, Finder, alternating, destination
from whimbrel.flow.delivery.settings import DeliverySettings, RelayRoute, SenderRoute, SourceAddress
from whimbrel.flow.delivery.source import Sources, sources
from whimbrel.flow.settings import SmtpSettings

CONFIG = FakeConfig(SmtpSettings(hostname=Domain("mail.example.test")), DeliverySettings(mx_port=2525))


def resolver() -> FakeResolver:
    names = FakeResolver()
    for n in (1, 2, 3):
        names.hosts[f"mx{n}.remote.test"] = [f"192.0.2.{n}"]
    names.hosts["plain.test"] = ["2001:db8::7", "192.0.2.7"]
    names.hosts["mail.example.test"] = ["192.0.2.25"]
    names.exchangers["remote.test"] = [Mx(20, "mx2.remote.test"), Mx(10, "MX1.remote.test."), Mx(30, "mx3.remote.test")]
    names.exchangers["null.test"] = [Mx(0, "")]
    names.exchangers["dot.test"] = [Mx(0, ".")]
    names.exchangers["dangling.test"] = [Mx(10, "gone.remote.test")]
    names.exchangers["ours.test"] = [Mx(10, "mail.example.test"), Mx(20, "mx1.remote.test")]
    names.exchangers["backup.test"] = [
        Mx(10, "mx1.remote.test"),
        Mx(20, "mx2.remote.test"),
        Mx(20, "mail.example.test"),
        Mx(30, "mx3.remote.test"),
    ]
    names.exchangers["broken.test"] = MailError(451, "4.4.3", "DNS does not answer")
    names.exchangers["half.test"] = [Mx(10, "slow.test"), Mx(20, "mx1.remote.test")]
    names.exchangers["slow-only.test"] = [Mx(10, "slow.test")]
    names.hosts["slow.test"] = MailError(451, "4.4.3", "DNS does not answer")
    names.hosts["bare.test"] = []
    return names


def servers(domain: str, *, ours: frozenset[str] = frozenset(), salt: str = "q1") -> list[str]:
    finder = Finder(resolver(), CONFIG, lambda ip, _port: ip in ours)
    return [str(one) for one in asyncio.run(finder.servers(Destination(domain), salt))]


@pytest.mark.parametrize(
    ("domain", "expected"),
    [
        (
            "remote.test",
            ["mx1.remote.test[192.0.2.1]:2525", "mx2.remote.test[192.0.2.2]:2525", "mx3.remote.test[192.0.2.3]:2525"],
        ),
        ("plain.test", ["plain.test[2001:db8::7]:2525", "plain.test[192.0.2.7]:2525"]),
        ("[192.0.2.9]", ["192.0.2.9:2525"]),
        ("[IPv6:2001:db8::9]", ["2001:db8::9:2525"]),
        ("half.test", ["mx1.remote.test[192.0.2.1]:2525"]),
        ("backup.test", ["mx1.remote.test[192.0.2.1]:2525"]),
    ],
)
def test_servers_are_tried_by_preference_and_the_address_without_mx(domain: str, expected: list[str]) -> None:
    assert servers(domain) == expected


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("null.test", "556 5.1.10"),
        ("dot.test", "556 5.1.10"),
        ("nowhere.test", "550 5.1.2"),
        ("bare.test", "550 5.1.2"),
        ("dangling.test", "550 5.4.4"),
        ("ours.test", "554 5.4.6"),
        ("broken.test", "451 4.4.3"),
        ("slow-only.test", "451 4.4.3"),
    ],
)
def test_a_domain_without_a_server_says_why(domain: str, status: str) -> None:
    with pytest.raises(MailError, match=f"^{status}"):
        servers(domain)


def test_mail_whose_server_is_our_own_listener_is_a_loop() -> None:
    ours = frozenset({"192.0.2.2"})
    assert servers("remote.test", ours=ours) == ["mx1.remote.test[192.0.2.1]:2525"]
    for domain in ("plain.test", "[192.0.2.7]"):
        with pytest.raises(MailError, match=r"^554 5\.4\.6"):
            servers(domain, ours=frozenset({"192.0.2.7"}))


def test_equals_share_the_load() -> None:
    names = resolver()
    names.exchangers["even.test"] = [Mx(10, f"mx{n}.remote.test") for n in (1, 2, 3)]
    finder = Finder(names, CONFIG)
    firsts = {asyncio.run(finder.servers(Destination("even.test"), f"q{n}"))[0].name for n in range(50)}
    assert len(firsts) == 3


def test_the_servers_of_one_attempt_are_bounded() -> None:
    names = resolver()
    names.exchangers["many.test"] = [Mx(n, f"m{n}.test") for n in range(100)]
    names.hosts |= {f"m{n}.test": [f"192.0.2.{n}", f"192.0.3.{n}"] for n in range(100)}
    assert len(asyncio.run(Finder(names, CONFIG).servers(Destination("many.test"), ""))) == MAX_SERVERS


def test_a_relay_host_takes_all_and_a_route_its_domain() -> None:
    settings = DeliverySettings(
        relay_host="relay.test",
        relay_port=587,
        relay_user="u",
        relay_password=Secret("p"),
        relay_tls="required",
        routes=(RelayRoute(domain="special.test", host="[192.0.2.99]"), RelayRoute(domain="*.lan.test", host="lan")),
    )
    way = destination("anything.test", settings)
    assert way.relay is not None and way.key == "u@relay.test:587/required" == destination("else.test", settings).key
    assert (way.relay.user, way.relay.tls) == ("u", TlsMode.REQUIRED)
    assert destination("special.test", settings).key == "[192.0.2.99]:25"
    assert destination("a.lan.test", settings).key == "lan:25"
    assert destination("lan.test", settings).key == way.key
    assert destination("special.test", DeliverySettings()).relay is None
    assert "Secret" not in repr(way) or "'p'" not in repr(way)


def test_the_route_of_a_domain_goes_before_that_of_a_sender_and_that_before_the_relay_host() -> None:
    settings = DeliverySettings(
        relay_host="relay.test",
        routes=(RelayRoute(domain="special.test", host="special"),),
        sender_routes=(
            SenderRoute(sender="*.example.test", host="below"),
            SenderRoute(sender="example.test", host="domain"),
            SenderRoute(sender="Anna@Example.test", host="address", user="anna"),
            SenderRoute(sender="empty.test"),
        ),
    )

    def host(sender: str, domain: str = "x.test") -> str:
        relay = destination(domain, settings, Address.parse(sender) if sender else None).relay
        return relay.host if relay else ""

    assert host("anna@example.test", "special.test") == "special"
    assert host("anna@example.test") == "address"
    assert host("bob@example.test") == "domain"
    assert host("bob@a.example.test") == "below"
    assert host("bob@empty.test") == host("bob@else.test") == host("") == "relay.test"
    assert destination("x.test", settings, Address.parse("anna@example.test")).key == "anna@address:25"


def test_ways_that_differ_in_tls_or_protocol_are_not_mixed() -> None:
    routes = tuple(
        RelayRoute(domain=f"{tls}.{protocol}.test", host="relay", tls=tls, protocol=protocol)
        for tls in ("opportunistic", "verified")
        for protocol in ("smtp", "lmtp")
    )
    settings = DeliverySettings(routes=routes)
    assert len({destination(route.domain, settings).key for route in routes}) == 4


def test_several_relay_hosts_are_tried_in_their_order() -> None:
    way = destination("x.test", DeliverySettings(relay_host="mx2.remote.test, mx1.remote.test:587 [2001:db8::9]:26"))
    names = resolver()
    names.hosts["2001:db8::9"] = ["2001:db8::9"]
    finder = Finder(names, CONFIG)
    expected = ["mx2.remote.test[192.0.2.2]:25", "mx1.remote.test[192.0.2.1]:587", "2001:db8::9:26"]
    assert [str(one) for one in asyncio.run(finder.servers(way, ""))] == expected
    names.hosts["mx2.remote.test"] = MailError(451, "4.4.3", "DNS does not answer")
    assert [str(one) for one in asyncio.run(finder.servers(way, ""))] == expected[1:]
    with pytest.raises(MailError, match=r"^451 4\.4\.3"):
        asyncio.run(finder.servers(destination("x.test", DeliverySettings(relay_host="slow.test")), ""))
    with pytest.raises(MailError, match=r"^451 4\.3\.5"):
        asyncio.run(finder.servers(destination("x.test", DeliverySettings(relay_host=",")), ""))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("6a 6b 4a 4b", "6a 4a 6b 4b"),
        ("4a 6a 6b 6c", "4a 6a 6b 6c"),
        ("6a 4a 4b 4c", "6a 4a 4b 4c"),
        ("4a 4b", "4a 4b"),
        ("6a", "6a"),
    ],
)
def test_families_take_turns(addresses: str, expected: str) -> None:
    given = [word[1] + (":" if word[0] == "6" else ".") for word in addresses.split()]
    assert alternating(given) == [word[1] + (":" if word[0] == "6" else ".") for word in expected.split()]


def test_a_source_address_is_that_of_the_senders_domain_and_of_the_family() -> None:
    settings = DeliverySettings(
        source_address="192.0.2.1",
        source_address_ipv6="2001:db8::1",
        sources=(
            SourceAddress(domain="a.test", ipv4="192.0.2.2"),
            SourceAddress(domain="*.a.test", ipv6="2001:db8::3"),
        ),
    )
    assert sources(settings, None) == Sources("192.0.2.1", "2001:db8::1")
    assert sources(settings, Address.parse("x@a.test")) == Sources("192.0.2.2", "2001:db8::1")
    assert sources(settings, Address.parse("x@b.a.test")) == Sources("192.0.2.1", "2001:db8::3")
    assert sources(DeliverySettings(source_address="2001:db8::5"), None) == Sources("", "2001:db8::5")
    both = sources(settings, None)
    assert (both.towards("198.51.100.1"), both.towards("2001:db8::9")) == ("192.0.2.1", "2001:db8::1")


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("mx1.remote.test", ["mx1.remote.test[192.0.2.1]:25"]),
        ("192.0.2.5", ["192.0.2.5:25"]),
        ("[192.0.2.5]", ["192.0.2.5:25"]),
        ("in-hosts-file", ["in-hosts-file:25"]),
    ],
)
def test_a_relay_host_is_a_name_or_an_address(host: str, expected: list[str]) -> None:
    way = destination("x.test", DeliverySettings(relay_host=host))
    names = resolver()
    names.hosts["192.0.2.5"] = ["192.0.2.5"]
    assert [str(one) for one in asyncio.run(Finder(names, CONFIG).servers(way, ""))] == expected
