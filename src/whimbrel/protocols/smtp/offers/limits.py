"""LIMITS: what a client runs into otherwise. Only limits that truly hold are told.

Standards: RFC 9422 3, 5.1 (MAILMAX), 5.2 (RCPTMAX). RCPTDOMAINMAX (5.3): not told, there is no such limit.
"""

from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.state import Terms


def _offer(terms: Terms) -> str:
    limits = (("MAILMAX", terms.max_transactions), ("RCPTMAX", terms.max_recipients))
    told = [f"{name}={value}" for name, value in limits if value]
    return f"LIMITS {' '.join(told)}" if told else ""


LIMITS = Extension(offer=_offer)
