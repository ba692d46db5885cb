"""PRDR: after the content an answer for each recipient, as LMTP has it, and one for the message.

Standards: draft-hall-prdr-00 (as Exim speaks it: 353, a reply for each recipient in order, a final reply)
"""

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import Mail
from whimbrel.protocols.smtp.state import Refusal, Terms


def _prdr(mail: Mail, value: str | None, _terms: Terms) -> None:
    if value is not None:
        raise Refusal(501, "5.5.4", "PRDR has no value")
    mail.prdr = True


PRDR = Extension(offer=lambda terms: "PRDR" if terms.prdr else "", mail={"PRDR": _prdr})
