"""PLAIN: name and password in one message.

Standards: RFC 4616 (authzid NUL authcid NUL passwd).
"""

from collections.abc import Generator

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import MAX_RESPONSE, Challenge, Credentials, SaslError, read_name, read_password


class PlainServer:
    def __init__(self, initial: bytes | None) -> None:
        self.first: Challenge | Credentials = Challenge(b"") if initial is None else _read(initial)

    def step(self, response: bytes) -> Challenge | Credentials:
        return _read(response)


def _read(message: bytes) -> Credentials:
    parts = message.split(b"\0", 3) if len(message) <= MAX_RESPONSE else []
    if len(parts) != 3:
        raise SaslError("a PLAIN message has three parts")
    name = read_name(parts[1])
    authzid = read_name(parts[0]) if parts[0] else ""
    if authzid not in ("", name):
        raise SaslError("acting for another user is not allowed")
    return Credentials(authzid, name, read_password(parts[2]))


def plain_client(name: str, password: Secret) -> Generator[bytes | None, bytes, None]:
    """The client: one response, fit to be the initial one; said once more to a server that asks for it all the same."""
    message = b"\0" + name.encode() + b"\0" + password.reveal().encode()
    yield message
    yield message
