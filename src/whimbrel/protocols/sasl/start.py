"""Begins the server side of an exchange by the name of its mechanism.

Standards: RFC 4422 3.1 (mechanism names).
"""

from whimbrel.protocols.sasl import SERVER_MECHANISMS
from whimbrel.protocols.sasl.exchange import Exchange, SaslError


def start(name: str, initial: bytes | None) -> Exchange:
    """`initial` is the decoded initial response, None if there was none; `first` of the result says what comes next.
    SaslError for an unknown mechanism or a bad response."""
    mechanism = SERVER_MECHANISMS.get(name.upper())
    if mechanism is None:
        raise SaslError("unknown mechanism")
    return mechanism(initial)
