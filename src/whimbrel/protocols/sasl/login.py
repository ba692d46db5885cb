"""LOGIN: name, then password. Never standardised; many printers and scripts support nothing else.

Standards: none (draft-murchison-sasl-login-00).
"""

from collections.abc import Generator
from typing import Final

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import (
    Channel,
    CheckPassword,
    Exchange,
    Form,
    Mechanism,
    Rejected,
    Success,
    ask,
    check,
    read_name,
    read_password,
)


def _server(initial: bytes | None, _channel: Channel) -> Exchange:
    # Quirk (Outlook): sends the name with the command, as if it were an initial response; taken as the name.
    name = read_name((yield from ask(b"Username:")) if initial is None else initial)
    password = read_password((yield from ask(b"Password:")))
    if not (yield from check(CheckPassword(name, password))):
        raise Rejected("wrong password")
    return Success(name)


LOGIN: Final = Mechanism("LOGIN", Form.PASSWORD, _server, plain=True)


def login_client(name: str, password: Secret) -> Generator[bytes | None, bytes, None]:
    """The client: no initial response, then whatever is asked for. A prompt that names neither, or both ("Username
    (not your e-mail password):"), is taken for the one that is due. It ends when the password is asked for once more,
    or the name after it."""
    challenge = yield None
    name_given = False
    while True:
        prompt = challenge.lower()
        asks_password = b"pass" in prompt or b"kennwort" in prompt
        if name_given if asks_password is _asks_name(prompt) else asks_password:
            yield password.reveal().encode()
            return
        name_given = True
        challenge = yield name.encode()


def _asks_name(prompt: bytes) -> bool:
    return b"user" in prompt or b"login" in prompt or b"name" in prompt
