"""No stranger sends through us: a walk over every trick."""

import asyncio
from dataclasses import replace

import pytest

from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import address
from tests.support.reception_house import STRANGER, House, house
from whimbrel.core.envelope import PLAIN, Recipient
from whimbrel.core.errors import MailError
from whimbrel.core.intake import Client, Origin
from whimbrel.core.network import Network
from whimbrel.flow.routing.relay import RelaySettings, allowed

TRICKS = [
    "x@remote.test",
    "x@remote.test.",
    "x%remote.test@example.test",
    "x%remote.test@alias.test",
    "x%remote.test@[192.0.2.25]",
    '"x@remote.test"@example.test',
    '"x@remote.test"@[192.0.2.25]',
    "remote.test!x@example.test",
    "remote.test!x@[192.0.2.25]",
    '"remote.test!x"@example.test',
    "x%example.test@remote.test",
    "x@[198.51.100.1]",
    "x@[IPv6:2001:db8::1]",
    "alice@[192.0.2.25]",
    "postmaster@remote.test",
    "postmaster@[198.51.100.1]",
    "x@sub.example.test",
    "x@example.test.remote.test",
    "+x%remote.test@example.test",
    "alice+x@remote.test",
    "alice@xn--exmple-cua.test",
    "alice@ex\u00e4mple.test",
    '"x@remote.test,alice"@example.test',
    '"alice@example.test>, <x"@remote.test',
]


def attempt(there: House, text: str, *, origin: Origin = Origin.INBOUND, client: Client = STRANGER) -> MailError | None:
    async def go() -> None:
        tx = await there.reception.mail(origin, client, None, address("spam@stranger.test"), PLAIN)
        await there.reception.rcpt(tx, Recipient(address(text)))
        await there.finish(tx)

    try:
        asyncio.run(go())
    except MailError as error:
        return error
    return None


@pytest.mark.parametrize("origin", [Origin.INBOUND, Origin.LMTP])
@pytest.mark.parametrize("catch_all", [False, True])
@pytest.mark.parametrize("text", TRICKS)
def test_every_relay_trick_is_refused_from_strangers(text: str, catch_all: bool, origin: Origin) -> None:
    there = house()
    if catch_all:
        there.directory.alias("@example.test", "alice@example.test")
    error = attempt(there, text, origin=origin)
    assert error is not None and error.code == 550 and error.enhanced in ("5.7.1", "5.1.1")
    assert not there.store.filed and not there.store.queued


def test_a_denied_relay_is_in_the_security_log() -> None:
    there = house()
    attempt(there, "x@remote.test")
    attempt(there, "x%remote.test@example.test")
    assert [(record["recipient"], record["sender_host"]) for record in there.log.named("relay.denied")] == [
        ("x@remote.test", "192.0.2.66"),
        ("x%remote.test@example.test", "192.0.2.66"),
    ]
    assert not there.log.named("rcpt.refused")


def test_users_and_we_ourselves_may_send_anywhere() -> None:
    for origin in (Origin.SUBMISSION, Origin.INTERNAL):
        there = house()
        assert attempt(there, "x@remote.test", origin=origin) is None
        assert len(there.store.queued) == 1


def test_an_administrators_alias_to_elsewhere_is_his_wish() -> None:
    there = house()
    there.directory.alias("out@example.test", "x@remote.test")
    there.directory.user("fwd@example.test", forward_to=("y@remote.test",))
    assert attempt(there, "out@example.test") is None
    assert attempt(there, "fwd@example.test") is None
    assert len(there.store.queued) == 2


def test_only_networks_that_are_named_may_relay_and_only_by_smtp() -> None:
    there = house(RelaySettings(allow_from=(Network("192.0.2.64/28"),)))
    assert attempt(there, "x@remote.test") is None
    outside = attempt(there, "x@remote.test", client=replace(STRANGER, ip="192.0.2.80"))
    assert outside is not None and outside.code == 550
    assert attempt(there, "x@remote.test", origin=Origin.LMTP) is not None
    # The tricks stay tricks.
    assert attempt(there, "x%remote.test@example.test") is not None


@pytest.mark.parametrize(
    ("networks", "ip", "may"),
    [
        ((), "127.0.0.1", False),
        (("127.0.0.0/8",), "127.0.0.1", True),
        (("127.0.0.0/8",), "::ffff:127.0.0.1", True),
        (("127.0.0.1",), "127.0.0.2", False),
        (("::1",), "::1", True),
        (("fe80::/10",), "fe80::1%eth0", True),
        (("0.0.0.0/0",), "", False),
        (("0.0.0.0/0",), "2001:db8::1", False),
    ],
)
def test_a_network_holds_what_it_says(networks: tuple[str, ...], ip: str, may: bool) -> None:
    settings = RelaySettings(allow_from=tuple(Network(one) for one in networks))
    assert allowed(FakeConfig(settings), ip) is may


def test_what_is_no_network_is_no_setting() -> None:
    with pytest.raises(ValueError, match="network"):
        Network("everybody")


@pytest.mark.parametrize("sign", ["\uff20", "\uff05", "\uff01", "\ufe6b"])
def test_signs_that_only_look_like_those_of_a_route_are_letters(sign: str) -> None:
    """With SMTPUTF8 a local part may hold fullwidth @, % and !: it stays here, in a catch-all too."""
    there = house()
    there.directory.alias("@example.test", "alice@example.test")
    assert attempt(there, f"x{sign}remote.test@example.test") is None
    assert len(there.store.filed) == 1 and not there.store.queued


def test_a_second_at_sign_is_no_address() -> None:
    with pytest.raises(ValueError):
        address("alice@example.test@remote.test")
