"""PLAIN and LOGIN. RFC 4616, RFC 4422"""

import pytest

from tests.unit.protocols.sasl.drive import Run
from whimbrel.core.values import Secret
from whimbrel.protocols.sasl import CLIENT_MECHANISMS, SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import (
    MAX_RESPONSE,
    Channel,
    CheckPassword,
    Rejected,
    SaslError,
    Success,
    ask,
    from_base64,
)

ALICE = CheckPassword("alice", Secret("p\u00e4ss"))
RIGHT = {CheckPassword: lambda _want: True}
WRONG = {CheckPassword: lambda _want: False}


def run(name: str, initial: bytes | None, script: object = RIGHT) -> Run:
    return Run(SERVER_MECHANISMS[name], initial, script)  # type: ignore[arg-type]


def test_plain_with_and_without_initial_response() -> None:
    message = "\0alice\0p\u00e4ss".encode()
    at_once = run("PLAIN", message)
    assert (at_once.wanted, at_once.success) == ([ALICE], Success("alice"))
    later = run("PLAIN", None)
    assert later.challenge == b""
    assert later.respond(message).success == Success("alice")


def test_login_with_and_without_initial_response() -> None:
    exchange = run("LOGIN", None)
    assert exchange.challenge == b"Username:"
    assert exchange.respond(b"alice").challenge == b"Password:"
    assert exchange.respond("p\u00e4ss".encode()).success == Success("alice")
    assert exchange.wanted[-1] == ALICE
    assert run("LOGIN", b"alice").challenge == b"Password:"


@pytest.mark.parametrize("name", SERVER_MECHANISMS)
def test_both_sides_agree(name: str) -> None:
    responses = CLIENT_MECHANISMS[name]("alice", Secret("p\u00e4ss"))
    exchange = run(name, next(responses))
    while exchange.challenge is not None:
        exchange.respond(responses.send(exchange.challenge) or b"")
    assert exchange.success == Success("alice")
    assert ALICE in exchange.wanted


@pytest.mark.parametrize(
    ("prompts", "answers"),
    [
        ([b"Username:", b"Password:"], [b"alice", b"pw"]),
        ([b"User Name\0", b"Password\0"], [b"alice", b"pw"]),
        ([b"", b""], [b"alice", b"pw"]),
        ([b"Username:", b"Username:", b"Password:"], [b"alice", b"alice", b"pw"]),
        ([b"Username (not your e-mail password):", b"Password (not your user name):"], [b"alice", b"pw"]),
        ([b"Login:", b"Passcode for login:"], [b"alice", b"pw"]),
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


def test_whom_the_client_wants_to_be_is_for_the_caller_to_judge() -> None:
    assert run("PLAIN", b"bob\0alice\0pw").success == Success("alice", "bob")


@pytest.mark.parametrize("name", SERVER_MECHANISMS)
def test_a_wrong_password_is_rejected_and_no_fault_of_the_protocol(name: str) -> None:
    with pytest.raises(Rejected):
        exchange = run(name, b"\0alice\0pw" if name == "PLAIN" else b"alice", WRONG)
        exchange.respond(b"pw")


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
    for initial in (message, None):
        with pytest.raises(SaslError) as caught:
            run("PLAIN", initial).respond(message)
        assert "pw" not in str(caught.value)


@pytest.mark.parametrize("response", [b"", b"\xff", b"a\0b", b"a" * 2000])
def test_what_is_no_name_or_password_is_refused(response: bytes) -> None:
    with pytest.raises(SaslError):
        run("LOGIN", response)
    with pytest.raises(SaslError):
        run("LOGIN", b"alice").respond(response)


def test_a_response_is_bounded() -> None:
    exchange = ask(b"?")
    next(exchange)
    with pytest.raises(SaslError, match="too long"):
        exchange.send(b"x" * (MAX_RESPONSE + 1))


def test_an_answer_of_another_kind_is_our_bug() -> None:
    exchange = SERVER_MECHANISMS["PLAIN"].start(b"\0alice\0pw", Channel())
    next(exchange)
    with pytest.raises(TypeError):
        exchange.send(b"yes")


@pytest.mark.parametrize("text", [b"a", b"a===", b"YQ==\n", b"Y Q=", b"YQ", b"Y!==", b"A" * (MAX_RESPONSE * 2)])
def test_base64_is_read_strictly(text: bytes) -> None:
    with pytest.raises(SaslError):
        from_base64(text)


def test_base64_is_read() -> None:
    assert from_base64(b"AGE=") == b"\0a"
    assert from_base64(b"") == b""


def test_a_password_is_not_shown() -> None:
    assert "p\u00e4ss" not in repr(ALICE)
