"""REQUIRETLS: the message is sent on over verified TLS or not at all.

Standards: RFC 8689 2, 4.1 (offered under TLS only), 4.2.1 (parameter)
"""

from dataclasses import replace

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import Mail
from whimbrel.protocols.smtp.state import Refusal, Terms


def _require(mail: Mail, value: str | None, _terms: Terms) -> None:
    if value is not None:
        raise Refusal(501, "5.5.4", "REQUIRETLS has no value")
    mail.options = replace(mail.options, require_tls=True)


REQUIRETLS = Extension(offer=lambda terms: "REQUIRETLS" if terms.require_tls else "", mail={"REQUIRETLS": _require})
