"""AUTH: signing in with SASL.

Standards: RFC 4954 3 (keyword), 4 (AUTH), 5 (parameter of MAIL).
"""

from whimbrel.protocols.sasl.exchange import SaslError, from_base64
from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.paths import read_mailbox
from whimbrel.protocols.smtp.server_events import Auth, Mail, ServerEvent
from whimbrel.protocols.smtp.state import Refusal, Role, State, Terms
from whimbrel.protocols.smtp.xtext import from_xtext


def _auth(state: State, argument: str) -> ServerEvent:
    if state.role is Role.LMTP and not state.terms.mechanisms:
        raise Refusal(502, "5.5.1", "AUTH is not offered")
    # Quirk (scanners, UPS): AUTH after HELO; taken from users, as Postfix does. To port 25 only guessers send it.
    if not (state.extended or (state.greeted and state.role is Role.SUBMISSION)):
        raise Refusal(503, "5.5.1", "Send EHLO first")
    if state.authenticated:
        raise Refusal(503, "5.5.1", "Signed in already")
    if state.mail:
        raise Refusal(503, "5.5.1", "AUTH is not allowed in a transaction")
    mechanism, _, initial = argument.partition(" ")
    mechanism = mechanism.upper()
    if not mechanism or len(mechanism) > 20 or " " in initial:
        raise Refusal(501, "5.5.4", "AUTH has a mechanism and at most one initial response")
    if not initial:
        return Auth(mechanism, None)
    try:
        return Auth(mechanism, b"" if initial == "=" else from_base64(initial.encode()))
    except SaslError:
        raise Refusal(501, "5.5.2", "The response is not base64") from None


def _submitter(_mail: Mail, value: str | None, _terms: Terms) -> None:
    """RFC 4954 5: who is said to have submitted the message. We trust no client with that: read and passed over."""
    try:
        if value != "<>":
            read_mailbox(from_xtext(value or ""))
    except ValueError:
        raise Refusal(501, "5.5.4", "AUTH is a mailbox in xtext, or <>") from None


AUTH = Extension(
    offer=lambda terms: f"AUTH {' '.join(terms.mechanisms)}" if terms.mechanisms else "",
    mail={"AUTH": _submitter},
    verbs={"AUTH": _auth},
)
