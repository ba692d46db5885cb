"""SCRAM-SHA-256 and -PLUS, beside RFC 5802 and RFC 7677, and with a client that nobody here wrote."""

import base64
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.protocols.sasl.drive import Run
from whimbrel.core.credentials.scram import ScramKeys
from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import Channel, LookUpKeys, Mechanism, Rejected, SaslError, Success
from whimbrel.protocols.sasl.scram import SCRAM, SCRAM_PLUS

SALT = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ==")
KEYS = Secret(ScramKeys.of("pencil", SALT, 4096).text())
CHANNEL = Channel(nonce=lambda: "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0")
BOUND = Channel(
    binding={"tls-server-end-point": b"our certificate", "tls-exporter": b"exported"}.get,
    nonce=lambda: "server-nonce",
    offered=lambda: ("SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"),
)
FIRST = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO"


def run(initial: bytes | None, mechanism: Mechanism = SCRAM, channel: Channel = CHANNEL, keys: Secret = KEYS) -> Run:
    return Run(mechanism, initial, {LookUpKeys: lambda _want: keys}, channel)


def test_the_exchange_of_the_rfc() -> None:
    """RFC 7677 3"""
    exchange = run(FIRST)
    assert exchange.wanted[0] == LookUpKeys("user", "SCRAM-SHA-256")
    assert exchange.challenge == (
        b"r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
    )
    exchange.respond(
        b"c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
    )
    assert exchange.success == Success("user", "", b"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=")


def test_without_an_initial_response_the_client_is_asked() -> None:
    for initial in (None, b""):
        assert run(initial).challenge == b""
        assert run(initial).respond(FIRST).challenge is not None


class Client:
    """scramp's client, which is strict about what it is sent."""

    def __init__(
        self, password: str, mechanism: str = "SCRAM-SHA-256", binding: tuple[str, bytes] | None = None
    ) -> None:
        scramp = pytest.importorskip("scramp")
        self.client = scramp.ScramClient([mechanism], "user", password, channel_binding=binding)

    def against(self, exchange: Run) -> Run:
        assert exchange.challenge == b""
        exchange.respond(self.client.get_client_first().encode())
        assert exchange.challenge is not None
        self.client.set_server_first(exchange.challenge.decode())
        exchange.respond(self.client.get_client_final().encode())
        assert exchange.success is not None
        self.client.set_server_final(exchange.success.data.decode())
        return exchange


@pytest.mark.parametrize("password", ["pencil", "p\u00e4ss", "\u2168 I\u00adX", "with, comma=and equals"])
def test_a_client_of_others_signs_in_and_is_shown_that_we_are_we(password: str) -> None:
    keys = Secret(ScramKeys.of(password, SALT, 4096).text())
    done = Client(password).against(run(None, keys=keys))
    assert done.success is not None
    assert done.success.name == "user"
    with pytest.raises(Rejected, match="proof"):
        Client(password + "x").against(run(None, keys=keys))


@pytest.mark.parametrize("kind", ["tls-server-end-point"])
def test_a_client_of_others_binds_to_the_channel(kind: str) -> None:
    data = BOUND.binding(kind)
    assert data is not None
    Client("pencil", "SCRAM-SHA-256-PLUS", (kind, data)).against(run(None, SCRAM_PLUS, BOUND))
    with pytest.raises(Rejected, match="another connection"):
        Client("pencil", "SCRAM-SHA-256-PLUS", (kind, b"somebody else's")).against(run(None, SCRAM_PLUS, BOUND))


def test_a_channel_that_has_no_such_binding_proves_nothing() -> None:
    exchange = run(b"p=tls-exporter,,n=user,r=abc", SCRAM_PLUS, CHANNEL)
    with pytest.raises(Rejected):
        exchange.respond(b"c=cD10bHMtZXhwb3J0ZXIsLA==,r=abc%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=" + b"A" * 43 + b"=")


def test_a_client_from_whom_plus_was_hidden_is_told_nothing() -> None:
    """RFC 5802 6: `y` says that the client could bind, and believes that we cannot."""
    with pytest.raises(Rejected, match="offered"):
        run(b"y,,n=user,r=abc", channel=BOUND)
    assert run(b"y,,n=user,r=abc", channel=replace(BOUND, offered=lambda: ("SCRAM-SHA-256",))).challenge is not None


@pytest.mark.parametrize(
    ("mechanism", "first"),
    [(SCRAM, b"p=tls-exporter,,n=u,r=abc"), (SCRAM_PLUS, b"n,,n=u,r=abc"), (SCRAM_PLUS, b"y,,n=u,r=a")],
)
def test_binding_and_plus_go_together(mechanism: Mechanism, first: bytes) -> None:
    with pytest.raises(SaslError):
        run(first, mechanism, BOUND)


def test_names_are_written_with_equals_signs_for_commas() -> None:
    exchange = run(b"n,a=other=2Cone,n=us=3Der=2C,r=abc")
    assert exchange.wanted[0] == LookUpKeys("us=er,", "SCRAM-SHA-256")


@pytest.mark.parametrize(
    "first",
    [
        b"x",
        b"n,,n=user",
        b"n,,m=must,n=user,r=abc",
        b"n,,r=abc,n=user",
        b"q,,n=user,r=abc",
        b"p=tls-server-end-points,,n=user,r=abc",
        b"n,b=c,n=user,r=abc",
        b"n,,n=,r=abc",
        b"n,,n=us=er,r=abc",
        b"n,,n=us=2cer,r=abc",
        b"n,,n=\xff,r=abc",
        b"n,,n=user,r=",
        b"n,,n=user,r=a b",
        b"n,,n=user,r=" + b"x" * 300,
        b"n,,n=" + b"x" * 2000 + b",r=abc",
        b"x" * 10_000,
    ],
)
def test_what_is_no_first_message_is_refused(first: bytes) -> None:
    with pytest.raises(SaslError):
        run(first)


NONCE = b"rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
PROOF = b"dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="


@pytest.mark.parametrize(
    ("final", "error"),
    [
        (b"", SaslError),
        (b"c=biws", SaslError),
        (b"c=biws,r=" + NONCE, SaslError),
        (b"r=" + NONCE + b",c=biws,p=" + PROOF, SaslError),
        (b"c=biws,r=" + NONCE + b",p=not base64", SaslError),
        (b"c=!,r=" + NONCE + b",p=" + PROOF, SaslError),
        (b"c=biws,r=" + NONCE + b",m=must,p=" + PROOF, SaslError),
        (b"c=biws,r=" + NONCE + b",p=", Rejected),
        (b"c=biws,r=" + NONCE + b",p=AAAA", Rejected),
        (b"c=biws,r=" + NONCE[:-1] + b",p=" + PROOF, Rejected),
        (b"c=eSws,r=" + NONCE + b",p=" + PROOF, Rejected),
        (b"c=biws,r=" + NONCE + b",x=y,p=" + PROOF, Rejected),
        (b"c=biws,r=" + NONCE + b",p=" + PROOF.replace(b"d", b"e", 1), Rejected),
    ],
)
def test_what_proves_nothing_is_rejected_and_what_is_no_message_refused(final: bytes, error: type[Exception]) -> None:
    with pytest.raises(error):
        run(FIRST).respond(final)


@settings(deadline=None)
@given(
    st.lists(
        st.sampled_from([b"n", b"y", b"p=", b"tls-exporter", b",", b"a=", b"n=", b"r=", b"=2C", b"x", b"\xff", b"m="])
    )
)
def test_no_first_message_raises_anything_else(parts: list[bytes]) -> None:
    for mechanism in (SCRAM, SCRAM_PLUS):
        try:
            run(b"".join(parts), mechanism, BOUND)
        except (SaslError, Rejected):
            pass


@settings(deadline=None)
@given(st.lists(st.sampled_from([b"c=", b"biws", b",", b"r=" + NONCE, b"p=", PROOF, b"r=", b"=", b"\x00", b"x=1"])))
def test_no_final_message_raises_anything_else_or_succeeds_without_the_proof(parts: list[bytes]) -> None:
    final = b"".join(parts)
    try:
        done = run(FIRST).respond(final)
    except (SaslError, Rejected):
        return
    assert done.success is not None
    assert final == b"c=biws,r=" + NONCE + b",p=" + PROOF
