"""SASL mechanisms, in the order in which they are offered and tried: name -> server side, name -> client side."""

from collections.abc import Callable

from whimbrel.protocols.sasl.exchange import Exchange
from whimbrel.protocols.sasl.login import LoginServer, login_client
from whimbrel.protocols.sasl.plain import PlainServer, plain_client

SERVER_MECHANISMS: dict[str, Callable[[bytes | None], Exchange]] = {
    "PLAIN": PlainServer,
    "LOGIN": LoginServer,
}

CLIENT_MECHANISMS = {
    "PLAIN": plain_client,
    "LOGIN": login_client,
}

PLAINTEXT = frozenset({"PLAIN", "LOGIN"})
"""Show the password to who listens: only under TLS, or where the configuration says so."""
