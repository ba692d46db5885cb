"""URLs in settings: the form `url`, and what is wrong with one that does not have it.

A URL of a file is kept as it is: a webhook that was mistyped must not keep mail from starting. A change to a malformed
one is refused, and `status` shows one that stands in the file (`backends/config/store.py` asks each of them for its
`fault`).

Standards: RFC 3986 2 (characters), 3.2 (authority).
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any, ClassVar, Final
from urllib.parse import unquote, urlsplit

from pydantic import GetCoreSchemaHandler
from pydantic_core import CoreSchema

from whimbrel.core.values import Secret, text_schema

_CHARACTERS: Final = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*")
"""RFC 3986 2.2, 2.3"""
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63}){0,126}\.?")
_HIDDEN: Final = "/..."
"""What stands for the path of a URL that is secret."""
_PIECE: Final = 8
"""Characters from which on a part of a path may be what is secret of it."""
LONGEST: Final = 2000


def url_fault(url: str, *, paths: bool = True) -> str:
    """Why `url` is none that can be called, in words that hold nothing of it; empty: it can be. With `paths=False` it
    is of a server as a whole."""
    if any(not c.isprintable() for c in url):
        return "a URL holds no line break or other control character"
    if any(c.isspace() for c in url):
        return "a URL holds no space: write %20, or take it out"
    if not url.isascii() or not _CHARACTERS.fullmatch(url):
        return "it holds what no URL holds: write such characters percent-encoded, and a name of a host as xn--"
    if len(url) > LONGEST:
        return f"a URL here has at most {LONGEST} characters"
    if not url.lower().startswith("https://"):
        return "write a URL that begins with https://"
    try:
        place = urlsplit(url)
    except ValueError:
        return "an IPv6 address stands in brackets, such as https://[2001:db8::1]/"
    return _authority_fault(place.netloc) or _rest_fault(place.path, place.query, place.fragment, paths=paths)


def _authority_fault(authority: str) -> str:
    """RFC 3986 3.2"""
    if "@" in authority:
        return "no name or password stands before the host: leave out what ends with @"
    match = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::([^:]*))?", authority)
    if match is None:
        return "an IPv6 address stands in brackets, such as https://[2001:db8::1]/"
    host, port = match[1], match[2]
    if not host:
        return "the name of a host is missing behind https://"
    if port is not None and not (port.isdigit() and len(port) <= 5 and 0 < int(port) < 65_536):
        return "the port is a number from 1 to 65535"
    return _host_fault(host)


def _host_fault(host: str) -> str:
    if not host.startswith("[") and host.strip("0123456789."):
        return "" if _NAME.fullmatch(host) else "the host is no name or address"
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return "the host is no IP address"
    return ""


def _rest_fault(path: str, query: str, fragment: str, *, paths: bool) -> str:
    if not paths and (path not in ("", "/") or query or fragment):
        return "nothing stands behind host and port, such as https://mx2.example.org:44337"
    if path == _HIDDEN and not query:
        return "this is how the URL is shown, not the whole of it: give all of it, or leave it as it is"
    return ""


class Url(str):
    """A URL that begins with https://; empty: none."""

    __slots__ = ()
    paths: ClassVar[bool] = True

    @property
    def fault(self) -> str:
        """Why nothing can be called there; empty: it can be, or it is empty."""
        return url_fault(self, paths=self.paths) if self else ""

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return text_schema(cls, "url")


class ServerUrl(Url):
    """A URL of a server, without a path."""

    __slots__ = ()
    paths = False


class SecretUrl(Secret):
    """A URL whose path is a credential, as that of many a webhook: it is shown with its host alone."""

    __slots__ = ()

    def __str__(self) -> str:
        if not str.__len__(self):
            return ""
        if url_fault(self.reveal()):
            return "********"
        return f"https://{urlsplit(self.reveal()).netloc}{_HIDDEN}"

    @property
    def fault(self) -> str:
        """As of `Url`; nothing of the URL is in it."""
        return url_fault(self.reveal()) if str.__len__(self) else ""

    def hidden_in(self, text: str) -> str:
        """What somebody else said, without the parts of the path that it repeats, at its end also cut off."""
        for piece in self._pieces():
            text = text.replace(piece, "...")
            cut = next((n for n in range(len(piece) - 1, _PIECE - 1, -1) if text.endswith(piece[:n])), 0)
            text = f"{text[:-cut]}..." if cut else text
        return text

    def _pieces(self) -> Iterator[str]:
        """Of path and query, as they are and as who answers may have read them; the longest first."""
        behind = self.reveal().partition("://")[2].partition("/")[2]
        pieces = {piece for whole in (behind, unquote(behind)) for piece in (whole, *re.split(r"[/?&=#;]", whole))}
        yield from sorted((each for each in pieces if len(each) >= _PIECE), key=len, reverse=True)
