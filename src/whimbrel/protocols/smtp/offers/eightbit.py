"""8BITMIME: octets above 127 in content.

Standards: RFC 6152 3 (BODY).
"""

from dataclasses import replace

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import Mail
from whimbrel.protocols.smtp.state import Refusal, Terms


def _body(mail: Mail, value: str | None, _terms: Terms) -> None:
    kind = (value or "").upper()
    if kind not in ("7BIT", "8BITMIME"):
        raise Refusal(501, "5.5.4", "BODY is 7BIT or 8BITMIME")
    mail.options = replace(mail.options, body_8bit=kind == "8BITMIME")


EIGHTBITMIME = Extension(offer=lambda terms: "8BITMIME", mail={"BODY": _body})
