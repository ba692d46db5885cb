"""SMTPUTF8: addresses and header fields in UTF-8.

Without the parameter an address of MAIL or RCPT that is not ASCII is refused in `verbs.py`: what is not announced may
not be sent on to servers that do not know it.

Standards: RFC 6531 3.1, 3.4 (parameter), 3.7.4.2 (VRFY)
"""

from dataclasses import replace

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import Mail
from whimbrel.protocols.smtp.state import Refusal, Terms


def _utf8(mail: Mail, value: str | None, _terms: Terms) -> None:
    if value is not None:
        raise Refusal(501, "5.5.4", "SMTPUTF8 has no value")
    mail.options = replace(mail.options, utf8=True)


SMTPUTF8 = Extension(offer=lambda terms: "SMTPUTF8", mail={"SMTPUTF8": _utf8})
