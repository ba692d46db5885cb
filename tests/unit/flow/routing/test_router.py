"""Where an address leads."""

import asyncio

import pytest

from tests.support.fakes import FakeConfig
from tests.support.flow_fakes import FakeDirectory, address
from whimbrel.core.config import ConfigStore
from whimbrel.core.directory import Rights, TargetKind
from whimbrel.core.errors import MailError
from whimbrel.flow.routing.relay import RelayDenied
from whimbrel.flow.routing.route import Expansion
from whimbrel.flow.routing.router import MAX_MEMBERS, Router
from whimbrel.flow.routing.settings import RoutingSettings

OURS = "192.0.2.25"


def house() -> FakeDirectory:
    directory = FakeDirectory(domains={"example.test": ("alias.test",), "other.test": ()})
    directory.user("alice@example.test")
    directory.user("bob@example.test", forward_to=("alice@example.test",))
    directory.user("carol@example.test", forward_to=("c@remote.test",), keep_copy=True)
    directory.user("dave@example.test", enabled=False)
    directory.user("erin@example.test", forward_to=("erin@example.test", "e@remote.test"))
    directory.user("ring1@example.test", forward_to=("ring2@example.test",))
    directory.user("ring2@example.test", forward_to=("ring1@example.test",))
    directory.alias("sales@example.test", "alice@example.test", "bob@example.test", "s@remote.test")
    directory.alias("deep@example.test", "sales@example.test", "carol@example.test")
    directory.alias("self@example.test", "self@example.test")
    directory.alias("round@example.test", "about@example.test", "alice@example.test")
    directory.alias("about@example.test", "round@example.test", "x@remote.test")
    directory.alias("half@example.test", "alice@example.test", "nobody@example.test")
    directory.alias("empty@example.test", "nobody@example.test")
    directory.alias("team@example.test", "alice@example.test", "dave@example.test", kind=TargetKind.GROUP)
    directory.alias("*-list@example.test", "alice@example.test")
    directory.alias("@other.test", "alice@example.test")
    directory.alias("info@other.test", "alice@alias.test", "Alice@Example.TEST")
    return directory


def route(text: str, directory: FakeDirectory | None = None, config: ConfigStore | None = None) -> Expansion:
    return asyncio.run(Router(directory or house(), config or FakeConfig()).route(address(text), OURS))


def shown(expansion: Expansion) -> tuple[list[str], list[str]]:
    return [str(one.account.address) for one in expansion.local], [str(one.address) for one in expansion.remote]


@pytest.mark.parametrize(
    ("text", "local", "remote"),
    [
        ("alice@example.test", ["alice@example.test"], []),
        ("ALICE@Example.Test", ["alice@example.test"], []),
        ("alice@alias.test", ["alice@example.test"], []),
        ("alice@example.test.", ["alice@example.test"], []),
        ("alice+news@example.test", ["alice@example.test"], []),
        ("alice+a+b@alias.test", ["alice@example.test"], []),
        ("sales+x@example.test", ["alice@example.test"], ["s@remote.test"]),
        ("bob@example.test", ["alice@example.test"], []),
        ("carol@example.test", ["carol@example.test"], ["c@remote.test"]),
        ("erin@example.test", ["erin@example.test"], ["e@remote.test"]),
        ("sales@example.test", ["alice@example.test"], ["s@remote.test"]),
        ("deep@example.test", ["alice@example.test", "carol@example.test"], ["s@remote.test", "c@remote.test"]),
        ("round@example.test", ["alice@example.test"], ["x@remote.test"]),
        ("dev-list@example.test", ["alice@example.test"], []),
        ("anything@other.test", ["alice@example.test"], []),
        ("info@other.test", ["alice@example.test"], []),
        ("x@remote.test", [], ["x@remote.test"]),
        ("x@[192.0.2.1]", [], ["x@[192.0.2.1]"]),
    ],
)
def test_an_address_leads_to_each_mailbox_and_address_once(text: str, local: list[str], remote: list[str]) -> None:
    assert shown(route(text)) == (local, remote)


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("nobody@example.test", "550 5.1.1"),
        ("+tag@example.test", "550 5.1.1"),
        ("dave@example.test", "550 5.2.1"),
        ("self@example.test", "554 5.4.6"),
        ("ring1@example.test", "554 5.4.6"),
        ("empty@example.test", "550 5.1.1"),
        (f"alice@[{OURS}]", "550 5.1.1"),
    ],
)
def test_what_leads_nowhere_is_refused(text: str, status: str) -> None:
    with pytest.raises(MailError, match=f"^{status}"):
        route(text)


@pytest.mark.parametrize(
    "text",
    [
        "user%remote.test@example.test",
        '"user@remote.test"@example.test',
        "remote.test!user@example.test",
        '"alice@remote.test"@other.test',
        "alice+x%remote.test@example.test",
    ],
)
def test_a_route_hidden_in_the_local_part_is_refused_even_with_a_catch_all(text: str) -> None:
    with pytest.raises(RelayDenied):
        route(text)


def test_a_member_that_cannot_be_reached_does_not_stop_the_others() -> None:
    expansion = route("half@example.test")
    assert shown(expansion) == (["alice@example.test"], [])
    assert [(str(one.address), one.error.enhanced) for one in expansion.unreachable] == [
        ("nobody@example.test", "5.1.1")
    ]
    assert [one.error.enhanced for one in route("team@example.test").unreachable] == ["5.2.1"]


def test_only_the_recipient_itself_counts_as_relayed() -> None:
    assert route("x@remote.test").relayed
    assert not route("sales@example.test").relayed


def test_plus_addressing_can_be_switched_off() -> None:
    with pytest.raises(MailError, match=r"^550 5\.1\.1"):
        route("alice+news@example.test", config=FakeConfig(RoutingSettings(plus_addressing=False)))


def test_postmaster_reaches_the_administrators_where_nobody_has_the_address() -> None:
    directory = house()
    with pytest.raises(MailError, match=r"^550 5\.1\.1"):
        route("postmaster@example.test", directory)
    directory.user("root@example.test", rights=Rights.SERVER_WRITE)
    for text in ("postmaster@example.test", "POSTMASTER@alias.test", f"postmaster@[{OURS}]", "postmaster@localhost"):
        assert shown(route(text, directory)) == (["root@example.test"], []), text
    # Before the catch-all, and the setting before the administrators.
    assert shown(route("postmaster@other.test", directory)) == (["root@example.test"], [])
    config = FakeConfig(RoutingSettings(postmaster="pm@remote.test"))
    assert shown(route("postmaster@other.test", directory, config)) == ([], ["pm@remote.test"])
    directory.alias("postmaster@example.test", "alice@example.test")
    assert shown(route("postmaster@example.test", directory, config)) == (["alice@example.test"], [])
    assert shown(route(f"postmaster@[{OURS}]", directory)) == (["alice@example.test"], [])


def test_an_ipv6_literal_of_ours_is_known() -> None:
    directory = house()
    directory.user("root@example.test", rights=Rights.SERVER_WRITE)
    router = Router(directory, FakeConfig())
    expansion = asyncio.run(router.route(address("postmaster@[IPv6:2001:db8:0::1]"), "2001:db8::1"))
    assert shown(expansion) == (["root@example.test"], [])


def test_expansion_is_bounded_in_depth_and_number() -> None:
    directory = house()
    for n in range(30):
        directory.alias(f"a{n}@example.test", f"a{n + 1}@example.test")
    directory.alias("a30@example.test", "alice@example.test")
    with pytest.raises(MailError, match=r"^554 5\.4\.6"):
        route("a0@example.test", directory)
    assert shown(route("a15@example.test", directory)) == (["alice@example.test"], [])
    directory.alias("many@example.test", *(f"u{n}@remote.test" for n in range(MAX_MEMBERS)))
    assert len(route("many@example.test", directory).remote) == MAX_MEMBERS
    directory.alias("more@example.test", *(f"u{n}@remote.test" for n in range(MAX_MEMBERS + 1)))
    with pytest.raises(MailError, match=r"^554 5\.2\.4"):
        route("more@example.test", directory)


def test_a_directory_that_is_down_refuses_nobody_for_good() -> None:
    directory = house()
    directory.down = True
    with pytest.raises(MailError) as caught:
        route("nobody@example.test", directory)
    assert caught.value.temporary
