"""Which connections are meant, and in which order they are shown."""

from dataclasses import replace

import pytest

from whimbrel.core.connections import ORDERS, LiveConnection, Which, ordered

ONE = LiveConnection(
    "01000001", "imaps", "alice@example.org", "192.0.2.7", 4711, "TLSv1.3", "AES", 100.0, 5.0, "IDLE", 10, 20, "mail/1"
)  # fmt: skip


@pytest.mark.parametrize(
    ("which", "fits"),
    [
        (Which(), True),
        (Which(ids=("01000001", "x")), True),
        (Which(ids=("x",)), False),
        (Which(service="imaps"), True),
        (Which(service="imap"), False),
        (Which(user="alice"), True),
        (Which(user="bob"), False),
        (Which(address="192.0.2.7"), True),
        (Which(address="192.0.2.0/24"), True),
        (Which(address="2001:db8::/32"), False),
        (Which(domains=("example.org",)), True),
        (Which(domains=("example.net",)), False),
        (Which(domains=()), False),
    ],
)
def test_a_connection_fits_if_all_that_is_given_does(which: Which, fits: bool) -> None:
    assert which.fits(ONE) is fits


def test_who_is_to_be_disconnected_is_named_whole() -> None:
    assert not Which(user="alice").fits(ONE, whole=True)
    assert Which(user="alice@example.org").fits(ONE, whole=True)
    assert not Which(user="e@example.org").fits(ONE, whole=True)


def test_who_administers_domains_sees_nobody_who_has_not_signed_in() -> None:
    assert not Which(domains=("example.org", "")).fits(replace(ONE, user=""))


def test_an_address_must_be_one() -> None:
    with pytest.raises(ValueError):
        Which(address="example.org")
    assert not Which(address="192.0.2.7").fits(replace(ONE, address=""))  # A Unix socket.


@pytest.mark.parametrize("order", ORDERS)
def test_every_order_gives_the_first_of_all_turned_round_with_a_minus(order: str) -> None:
    some = [
        replace(ONE, id=f"{n:02}", since=n % 7, idle=-n, sent=n, user=f"u{n % 3}", address=f"192.0.2.{n % 5}")
        for n in range(20)
    ]
    whole = ordered(some, order, 100)
    assert ordered(some, order, 3) == whole[:3]
    assert ordered(some, order.removeprefix("-") if order[0] == "-" else f"-{order}", 100) == whole[::-1]
