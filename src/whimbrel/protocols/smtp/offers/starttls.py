"""STARTTLS: from plaintext to TLS on the same connection.

Standards: RFC 3207 4.
"""

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import ServerEvent, StartTls
from whimbrel.protocols.smtp.state import Refusal, State

_START = StartTls()


def _starttls(state: State, argument: str) -> ServerEvent:
    if argument:
        raise Refusal(501, "5.5.4", "STARTTLS has no parameters")
    if state.tls:
        raise Refusal(503, "5.5.1", "TLS is active already")
    # Quirk (cameras): STARTTLS before EHLO. What is offered is not told yet;
    # the session knows. RFC 3207 4 does not ask for EHLO.
    if state.greeted and not state.terms.starttls:
        raise Refusal(502, "5.5.1", "STARTTLS is not offered")
    if state.mail or state.authenticated:
        raise Refusal(503, "5.5.1", "STARTTLS comes before AUTH and MAIL")
    return _START


STARTTLS = Extension(offer=lambda terms: "STARTTLS" if terms.starttls else "", verbs={"STARTTLS": _starttls})
