"""Which servers are tried for a domain, in which order."""

import asyncio

import pytest

from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import FakeResolver
from whimbrel.core.address import Domain
from whimbrel.core.errors import MailError
from whimbrel.core.net import Mx, TlsMode
from whimbrel.core.values import Secret
from whimbrel.flow.delivery.destination import MAX_SERVERS, Destination, Finder, destination
from whimbrel.flow.delivery.settings import DeliverySettings, RelayRoute
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
    assert way.relay is not None and way.key == "relay.test:587" == destination("else.test", settings).key
    assert (way.relay.user, way.relay.tls) == ("u", TlsMode.REQUIRED)
    assert destination("special.test", settings).key == "[192.0.2.99]:25"
    assert destination("a.lan.test", settings).key == "lan:25"
    assert destination("lan.test", settings).key == "relay.test:587"
    assert destination("special.test", DeliverySettings()).relay is None
    assert "Secret" not in repr(way) or "'p'" not in repr(way)


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
