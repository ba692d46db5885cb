"""Reverse-path and forward-path of MAIL and RCPT.

Standards: RFC 5321 4.1.2 (Path), 4.1.1.3 (postmaster), 4.1.3 (address literals), appendix C (source routes).
"""

from whimbrel.core.address import Address, Domain


def split_path(text: str) -> tuple[str, str]:
    """The path inside `<` and `>` at the start of `text`, and what follows it. ValueError if there is none."""
    if not text.startswith("<"):
        # Quirk (cameras, scanners, UPS): `MAIL FROM:a@example.org`; read as Postfix and Exim read it, up to a blank.
        path, blank, rest = text.partition(" ")
        if not path or not set(path).isdisjoint('<>"'):
            raise ValueError("a path stands in angle brackets")
        return path, blank + rest
    if '"' not in text:
        end = text.find(">")
    else:
        end, quoted, at = -1, False, 1
        while at < len(text):
            char = text[at]
            if quoted and char == "\\":
                at += 1
            elif char == '"':
                quoted = not quoted
            elif char == ">" and not quoted:
                end = at
                break
            at += 1
    if end < 0:
        raise ValueError("a path stands in angle brackets")
    return text[1:end], text[end + 1 :]


def read_mailbox(path: str) -> Address:
    """The mailbox of a path that is not empty; a source route is read and dropped. ValueError says what is wrong."""
    if path.startswith("@"):
        route, colon, path = path.partition(":")
        if not colon:
            raise ValueError("a source route ends with a colon")
        for host in route.split(","):
            if not host.startswith("@"):
                raise ValueError("a source route is a list of @domain")
            Domain(host[1:])
    return Address.parse(path)
