"""PLAIN: name and password in one message.

Standards: RFC 4616 (authzid NUL authcid NUL passwd)
"""

from collections.abc import Generator
from typing import Final

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import (
    MAX_RESPONSE,
    Channel,
    CheckPassword,
    Exchange,
    Form,
    Mechanism,
    Rejected,
    SaslError,
    Success,
    ask,
    check,
    read_name,
    read_password,
)


def _server(initial: bytes | None, _channel: Channel) -> Exchange:
    message = (yield from ask(b"")) if initial is None else initial
    parts = message.split(b"\0", 3) if len(message) <= MAX_RESPONSE else []
    if len(parts) != 3:
        raise SaslError("a PLAIN message has three parts")
    authzid = read_name(parts[0]) if parts[0] else ""
    name, password = read_name(parts[1]), read_password(parts[2])
    if not (yield from check(CheckPassword(name, password))):
        raise Rejected("wrong password")
    return Success(name, authzid)


PLAIN: Final = Mechanism("PLAIN", Form.PASSWORD, _server, plain=True)


def plain_client(name: str, password: Secret) -> Generator[bytes | None, bytes, None]:
    """The client: one response, fit to be the initial one; said once more to a server that asks for it all the same."""
    message = b"\0" + name.encode() + b"\0" + password.reveal().encode()
    yield message
    yield message
