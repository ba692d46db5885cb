"""PLAIN and LOGIN. RFC 4616, RFC 4422"""

import pytest

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl import CLIENT_MECHANISMS, SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import MAX_RESPONSE, Challenge, Credentials, SaslError, from_base64
from whimbrel.protocols.sasl.start import start

ALICE = Credentials("", "alice", Secret("p\u00e4ss"))


def test_plain_with_and_without_initial_response() -> None:
    message = "\0alice\0p\u00e4ss".encode()
    assert start("plain", message).first == ALICE
    exchange = start("PLAIN", None)
    assert exchange.first == Challenge(b"")
    assert exchange.step(message) == ALICE


def test_login_with_and_without_initial_response() -> None:
    exchange = start("LOGIN", None)
    assert exchange.first == Challenge(b"Username:")
    assert exchange.step(b"alice") == Challenge(b"Password:")
    assert exchange.step("p\u00e4ss".encode()) == ALICE
    exchange = start("LOGIN", b"alice")
    assert exchange.first == Challenge(b"Password:")


@pytest.mark.parametrize("name", SERVER_MECHANISMS)
def test_both_sides_agree(name: str) -> None:
    responses = CLIENT_MECHANISMS[name]("alice", Secret("p\u00e4ss"))
    exchange = start(name, next(responses))
    state = exchange.first
    while isinstance(state, Challenge):
        state = exchange.step(responses.send(state.data) or b"")
    assert state == ALICE


@pytest.mark.parametrize(
    ("prompts", "answers"),
    [
        ([b"Username:", b"Password:"], [b"alice", b"pw"]),
        ([b"User Name\0", b"Password\0"], [b"alice", b"pw"]),
        ([b"", b""], [b"alice", b"pw"]),
        ([b"Username:", b"Username:", b"Password:"], [b"alice", b"alice", b"pw"]),
        ([b"Password:"], [b"pw"]),
        ([b"Benutzer", b"Kennwort"], [b"alice", b"pw"]),
        ([b"Password:", b"Password:"], [b"pw", None]),  # The password is said once.
        ([b"Username:", b"Password:", b"Username:"], [b"alice", b"pw", None]),
    ],
)
def test_a_client_of_login_answers_what_is_asked(prompts: list[bytes], answers: list[bytes | None]) -> None:
    responses = CLIENT_MECHANISMS["LOGIN"]("alice", Secret("pw"))
    assert next(responses) is None
    for prompt, answer in zip(prompts, answers, strict=True):
        try:
            response = responses.send(prompt)
        except StopIteration:
            response = None
        assert response == answer


def test_acting_for_oneself_is_fine_and_for_others_not() -> None:
    assert start("PLAIN", b"alice\0alice\0pw").first == Credentials("alice", "alice", Secret("pw"))
    with pytest.raises(SaslError):
        start("PLAIN", b"bob\0alice\0pw")


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"alice",
        b"\0alice",
        b"\0\0pw",
        b"\0alice\0",
        b"\0alice\0pw\0",
        b"\0al\xffice\0pw",
        b"\0al\nice\0pw",
        b"\0" + b"a" * 321 + b"\0pw",
        b"\0alice\0" + b"a" * 1025,
        b"\0" * (MAX_RESPONSE + 1),
    ],
)
def test_what_is_no_plain_message_is_refused(message: bytes) -> None:
    with pytest.raises(SaslError) as caught:
        start("PLAIN", message)
    assert "pw" not in str(caught.value)


@pytest.mark.parametrize("response", [b"", b"\xff", b"a\0b", b"a" * 2000])
def test_what_is_no_name_or_password_is_refused(response: bytes) -> None:
    with pytest.raises(SaslError):
        start("LOGIN", response)
    with pytest.raises(SaslError):
        start("LOGIN", b"alice").step(response)


def test_unknown_mechanisms_are_refused() -> None:
    with pytest.raises(SaslError):
        start("GSSAPI", None)


@pytest.mark.parametrize("text", [b"a", b"a===", b"YQ==\n", b"Y Q=", b"YQ", b"Y!==", b"A" * (MAX_RESPONSE * 2)])
def test_base64_is_read_strictly(text: bytes) -> None:
    with pytest.raises(SaslError):
        from_base64(text)


def test_base64_is_read() -> None:
    assert from_base64(b"AGE=") == b"\0a"
    assert from_base64(b"") == b""


def test_a_password_is_not_shown() -> None:
    assert "p\u00e4ss" not in repr(ALICE)
