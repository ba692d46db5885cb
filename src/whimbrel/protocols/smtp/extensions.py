"""What a server says that it can do.

Standards: RFC 5321 4.1.1.1 (EHLO response), RFC 1870 3 (SIZE), RFC 4954 3 (AUTH), RFC 9422 (LIMITS).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extensions:
    """`keywords` in upper case; `size` 0 if no limit is told; `auth` the SASL mechanisms."""

    keywords: frozenset[str]
    size: int
    auth: frozenset[str]
    max_recipients: int = 0
    """In a transaction; 0 if it is not told. RFC 9422 4.2"""
    max_transactions: int = 0
    """In a session. RFC 9422 4.1"""

    def has(self, keyword: str) -> bool:
        return keyword in self.keywords

    @classmethod
    def read(cls, lines: tuple[str, ...]) -> "Extensions":
        """`lines` of a reply to EHLO; the first is the server's name. What is not understood is passed over."""
        keywords: set[str] = set()
        auth: set[str] = set()
        size, recipients, transactions = 0, 0, 0
        for line in lines[1:]:
            keyword, *parameters = line.upper().split() or [""]
            if keyword.startswith("AUTH="):  # Quirk (old Exchange): `AUTH=LOGIN`; read like `AUTH LOGIN`.
                parameters = [keyword[5:], *parameters]
                keyword = "AUTH"
            keywords.add(keyword)
            if keyword == "AUTH":
                auth.update(parameters)
            elif keyword == "SIZE" and parameters:
                size = _number(parameters[0])
            elif keyword == "LIMITS":
                limits = dict(parameter.partition("=")[::2] for parameter in parameters)
                recipients, transactions = _number(limits.get("RCPTMAX", "")), _number(limits.get("MAILMAX", ""))
        return cls(frozenset(keywords - {""}), size, frozenset(auth - {""}), recipients, transactions)


def _number(text: str) -> int:
    return int(text[:20]) if text.isascii() and text.isdigit() else 0


NO_EXTENSIONS = Extensions(frozenset(), 0, frozenset())
