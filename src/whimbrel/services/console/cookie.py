"""The cookie of the console's sessions: its name, and its value in a request.

A browser sends its cookies to every port of a host, whoever is there (RFC 6265 8.5). So the name says which console the
session is of: by the installation, and by the port at which the browser found it. Two consoles on one host, or two
behind one address, do not sign each other out; nor does whatever else this server may serve to browsers.

Standards: RFC 6265 4.1 and 4.2 (cookies; the prefix `__Host-` is of its draft successor)
"""

from collections.abc import Iterable
from typing import Final

PREFIX: Final = "__Host-whimbrel-console"
_HTTPS: Final = "443"


def cookie_name(installation: str, authority: str) -> str:
    """Of the console of `installation` (its public id) that a browser calls by `host` or `host:port`."""
    port = authority.rpartition("]")[2].rpartition(":")[2] if ":" in authority.rpartition("]")[2] else ""
    # Only a number within bounds becomes part of a name that is sent back.
    known = port if port.isascii() and port.isdigit() and 0 < len(port) <= 5 else _HTTPS
    return f"{PREFIX}-{installation}-{int(known)}"


def cookie_value(lines: Iterable[str], name: str) -> str:
    """The session's id in the Cookie headers of a request; empty if there is none, or if it is not clear which."""
    named = [
        value.strip()
        for line in lines
        for each, _, value in (pair.partition("=") for pair in line.split(";"))
        if each.strip() == name
    ]
    return named[0] if len(named) == 1 else ""
