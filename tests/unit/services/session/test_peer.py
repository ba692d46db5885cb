"""What a connection may do before anybody signed in."""

from dataclasses import replace

import pytest

from tests.support.fakes import FakeConfig
from tests.unit.services.session.stage import PEER
from whimbrel.core.network import Network
from whimbrel.core.values import Duration
from whimbrel.protocols.sasl.exchange import Exchange, Form, Mechanism
from whimbrel.protocols.sasl.plain import PLAIN
from whimbrel.protocols.sasl.scram import SCRAM, SCRAM_PLUS
from whimbrel.services.session.peer import offered, plaintext_allowed
from whimbrel.services.session.settings import SecuritySettings


def test_passwords_in_the_clear_only_under_tls_or_where_it_is_set() -> None:
    clear = replace(PEER, tls=False)
    open_to = SecuritySettings(plaintext_from=(Network("192.0.2.0/24"), Network("::1")))
    assert plaintext_allowed(FakeConfig(), PEER)
    assert not plaintext_allowed(FakeConfig(), clear)
    assert plaintext_allowed(FakeConfig(open_to), clear)
    assert plaintext_allowed(FakeConfig(open_to), replace(clear, ip="::1"))
    assert plaintext_allowed(FakeConfig(open_to), replace(clear, ip="::ffff:192.0.2.7"))
    assert not plaintext_allowed(FakeConfig(open_to), replace(clear, ip="192.0.3.1"))
    assert not plaintext_allowed(FakeConfig(open_to), replace(clear, ip=""))
    assert list(offered(FakeConfig(), clear)) == []
    assert list(offered(FakeConfig(), PEER)) == ["PLAIN", "LOGIN"]


def test_a_mechanism_is_offered_only_where_it_can_succeed() -> None:
    def unused(*_given: object) -> Exchange:
        raise AssertionError

    gssapi = Mechanism("GSSAPI", Form.CONTEXT, unused)
    table = {mechanism.name: mechanism for mechanism in (SCRAM_PLUS, SCRAM, gssapi, PLAIN)}
    settings, keys = SecuritySettings(), frozenset({"SCRAM-SHA-256"})
    clear, bound = replace(PEER, tls=False), replace(PEER, binding=lambda _kind: b"certificate")

    def names(peer: object, schemes: frozenset[str]) -> list[str]:
        return list(offered(FakeConfig(settings), peer, schemes, table))  # type: ignore[arg-type]

    assert names(PEER, frozenset()) == ["GSSAPI", "PLAIN"]
    assert names(PEER, keys) == ["SCRAM-SHA-256", "GSSAPI", "PLAIN"]
    assert names(bound, keys) == ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-256", "GSSAPI", "PLAIN"]
    assert names(clear, keys) == ["SCRAM-SHA-256", "GSSAPI"]


def test_settings_refuse_what_is_no_network() -> None:
    assert Network("10.1.2.3/8") == "10.0.0.0/8"
    with pytest.raises(ValueError, match="IP group"):
        SecuritySettings.model_validate({"plaintext_from": ("every where",)})
    with pytest.raises(ValueError, match="maximum"):
        SecuritySettings.model_validate({"remember_sign_in": Duration("11m")})
