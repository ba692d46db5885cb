"""What may be asked, and in which form."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from whimbrel.backends.dns.resolver import _stub, _wire_name
from whimbrel.backends.dns.settings import DnsSettings
from whimbrel.core.values import Duration, HostPort


@pytest.mark.parametrize(
    ("name", "wire"),
    [
        ("Example.TEST.", "example.test"),
        ("_25._tcp.mail.example.test", "_25._tcp.mail.example.test"),
        ("bücher.test", "xn--bcher-kva.test"),
        ("", None),
        (".", None),
        ("a..b", None),
        ("x" * 64 + ".test", None),
        (".".join(["x" * 60] * 5), None),
        ("a\\.b.test", None),
        ("\ud800.test", None),
    ],
)
def test_a_name_is_asked_as_a_labels_in_lower_case_or_not_at_all(name: str, wire: str | None) -> None:
    assert _wire_name(name) == wire


@given(st.text())
def test_no_text_is_too_odd_for_a_name(name: str) -> None:
    _wire_name(name)


def test_configured_servers_with_their_ports_are_asked_instead_of_the_systems() -> None:
    stub = _stub(
        DnsSettings(server=(HostPort("192.0.2.53:5353"), HostPort("[2001:db8::53]:53")), timeout=Duration("6s")), "-"
    )
    assert stub is not None
    assert [str(server) for server in stub.nameservers] == ["Do53:192.0.2.53@5353", "Do53:2001:db8::53@53"]
    assert stub.lifetime == 6


def test_without_any_server_there_is_no_resolver() -> None:
    assert _stub(DnsSettings(), "/nonexistent/resolv.conf") is None
