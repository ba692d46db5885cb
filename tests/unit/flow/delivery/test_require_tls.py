"""REQUIRETLS and what TLS may do without. RFC 8689, RFC 7435"""

from dataclasses import replace

import pytest

from tests.support.queue_house import entry
from tests.unit.flow.delivery.test_smtp import World, relay, states
from whimbrel.core.envelope import MailOptions
from whimbrel.core.net import TlsMode
from whimbrel.flow.delivery.settings import DeliverySettings

OFFERED = ("PIPELINING", "STARTTLS", "REQUIRETLS")
REQUIRED = MailOptions(require_tls=True)


def secret(world: World) -> list[str]:
    outcomes = world.send(item=replace(entry("q1", "b@remote.test"), options=REQUIRED))
    return [f"{one.state.value} {one.status.split(' ')[0]}" for one in outcomes]


def test_requiretls_goes_over_verified_tls_to_servers_that_promise_the_same() -> None:
    world = World()
    world.first.extensions = OFFERED
    assert secret(world) == ["relayed 2.0.0"]
    assert world.net.opened == [("192.0.2.1:25", TlsMode.VERIFIED)]
    assert world.first.messages[0][0].endswith(" REQUIRETLS")


@pytest.mark.parametrize("lack", ["REQUIRETLS", "STARTTLS", "handshake"])
def test_without_it_another_server_may_have_it_and_if_none_it_is_returned(lack: str) -> None:
    world = World()
    world.first.extensions = world.second.extensions = OFFERED
    for servers in ((world.first,), (world.first, world.second)):
        for server in servers:
            server.tls_fails = lack == "handshake"
            server.extensions = tuple(word for word in OFFERED if word != lack)
        # RFC 8689 4.2.1: X.7.10 where there is no TLS, X.7.30 where only the promise is missing.
        failed = "failed 5.7.30" if lack == "REQUIRETLS" else "failed 5.7.10"
        assert secret(world) == ["relayed 2.0.0" if len(servers) == 1 else failed]
    assert not world.first.messages and TlsMode.NONE not in [mode for _, mode in world.net.opened]


def test_a_report_is_not_thrown_away_where_the_way_back_lacks_requiretls() -> None:
    """RFC 8689 5. It has the header only, and goes over verified TLS all the same."""
    world = World()
    world.first.extensions = tuple(word for word in OFFERED if word != "REQUIRETLS")
    (outcome,) = world.send(item=replace(entry("q1", "b@remote.test", sender=""), options=REQUIRED))
    assert outcome.state.value == "relayed" and world.net.opened == [("192.0.2.1:25", TlsMode.VERIFIED)]
    assert "REQUIRETLS" not in world.first.messages[0][0]


def test_a_setting_forbids_the_second_try_in_the_clear() -> None:
    world = World(DeliverySettings(tls_fallback=False))
    world.first.tls_fails = world.second.tls_fails = True
    (outcome,) = world.send()
    assert outcome.status.startswith("4.7.5") and TlsMode.NONE not in [mode for _, mode in world.net.opened]


def test_a_message_that_requires_tls_never_shares_a_session_that_was_not_verified() -> None:
    world = World(relay())
    world.first.extensions = ("AUTH PLAIN", *OFFERED)
    world.first.answers = {"AUTH": "235 2.7.0 Welcome"}
    assert states(world.send()) == ["relayed"] and secret(world) == ["relayed 2.0.0"]
    assert [mode for _, mode in world.net.opened] == [TlsMode.OPPORTUNISTIC, TlsMode.VERIFIED]


def test_a_route_of_lmtp_speaks_lmtp() -> None:
    from whimbrel.flow.delivery.settings import RelayRoute

    world = World(DeliverySettings(routes=(RelayRoute(domain="remote.test", host="relay.test", protocol="lmtp"),)))
    assert states(world.send()) == ["relayed"]
    assert [line.split(" ")[0] for line in world.first.lines if "LO " in line] == ["LHLO", "LHLO"]
