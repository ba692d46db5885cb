"""The domains in From: who is said to have written a message.

Standards: RFC 5322 3.6.2 (one From, with one address or several), RFC 9989 4.9, RFC 6854 (groups)
"""

from whimbrel.core.address import Domain
from whimbrel.mail.structure.address_list import entries
from whimbrel.mail.structure.header import Field


def author_domains(fields: list[Field]) -> list[str]:
    """In A-labels, each once, of all From fields there are. What is no domain name is left out."""
    domains: dict[str, None] = {}
    for field in fields:
        if field.name.lower() != b"from":
            continue
        for entry in entries(field.value):
            try:
                domains[str(Domain((entry.host or b"").decode("utf-8")))] = None
            except ValueError:
                continue
    return list(domains)
