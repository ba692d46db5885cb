"""SASL mechanisms, in the order in which they are offered and tried: the server's side, and the client's by name."""

from collections.abc import Callable, Generator

from whimbrel.core.values import Secret
from whimbrel.protocols.sasl.exchange import Mechanism
from whimbrel.protocols.sasl.login import LOGIN, login_client
from whimbrel.protocols.sasl.plain import PLAIN, plain_client

SERVER_MECHANISMS: dict[str, Mechanism] = {mechanism.name: mechanism for mechanism in (PLAIN, LOGIN)}

CLIENT_MECHANISMS: dict[str, Callable[[str, Secret], Generator[bytes | None, bytes, None]]] = {
    "PLAIN": plain_client,
    "LOGIN": login_client,
}
