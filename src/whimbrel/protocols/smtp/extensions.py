"""What a server says that it can do.

Standards: RFC 5321 4.1.1.1 (EHLO response), RFC 1870 3 (SIZE), RFC 4954 3 (AUTH).
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Extensions:
    """`keywords` in upper case; `size` 0 if no limit is told; `auth` the SASL mechanisms."""

    keywords: frozenset[str]
    size: int
    auth: frozenset[str]

    def has(self, keyword: str) -> bool:
        return keyword in self.keywords

    @classmethod
    def read(cls, lines: tuple[str, ...]) -> "Extensions":
        """`lines` of a reply to EHLO; the first is the server's name. What is not understood is passed over."""
        keywords: set[str] = set()
        auth: set[str] = set()
        size = 0
        for line in lines[1:]:
            keyword, *parameters = line.upper().split() or [""]
            if keyword.startswith("AUTH="):  # Quirk (old Exchange): `AUTH=LOGIN`; read like `AUTH LOGIN`.
                parameters = [keyword[5:], *parameters]
                keyword = "AUTH"
            keywords.add(keyword)
            if keyword == "AUTH":
                auth.update(parameters)
            elif keyword == "SIZE" and parameters and parameters[0].isascii() and parameters[0].isdigit():
                size = int(parameters[0][:20])
        return cls(frozenset(keywords - {""}), size, frozenset(auth - {""}))


NO_EXTENSIONS = Extensions(frozenset(), 0, frozenset())
