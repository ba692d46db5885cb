"""SIZE: the largest message, told before it is sent.

Standards: RFC 1870 4 (keyword), 6 (parameter).
"""

from dataclasses import replace

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import Mail
from whimbrel.protocols.smtp.state import Refusal, Terms


def _size(mail: Mail, value: str | None, terms: Terms) -> None:
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > 20:
        raise Refusal(501, "5.5.4", "SIZE is a number of octets")
    mail.options = replace(mail.options, size=int(value))
    if mail.options.size > terms.max_size:
        raise Refusal(552, "5.3.4", f"Messages may have up to {terms.max_size} octets")


SIZE = Extension(offer=lambda terms: f"SIZE {terms.max_size}", mail={"SIZE": _size})
