"""The built console, as files of the package.

What can be asked for is a table made of the folder beforehand: no name from the network ever reaches the file system.
Names under `/assets/` hold a hash of their content and never change; all else is asked for again. Whatever is no file
is the page itself, which knows its own paths.

Standards: RFC 9110 8.8.3 (ETag), 12.5.3 (Accept-Encoding), 13.1.2 (If-None-Match); RFC 8246 (immutable)
"""

import hashlib
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whimbrel.core.pool import Pool
from whimbrel.services.webd.exchange import Exchange, Headers, Refusal
from whimbrel.services.webd.security import console_policy

NONCE: Final = b"__CSP_NONCE__"
"""Stands in index.html where the nonce of an answer belongs (Vite: `html.cspNonce`)."""
_INDEX: Final = "/index.html"
_ASSETS: Final = "/assets/"
_MOST_FILES: Final = 5000
_ENCODINGS: Final = (("br", ".br"), ("gzip", ".gz"))
_TRICK: Final = re.compile(r"(^|/|%2f|%5c)(\.|%2e)(\.|%2e)?($|/|%2f|%5c)|\\|%00|[\x00-\x20\x7f-\xff]", re.IGNORECASE)
_TYPES: Final = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/x-icon",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
}
_NOT_BUILT: Final = """<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Whimbrel</title>
<h1>The console has not been built</h1>
<p>The mail server works; only the pages of its console are missing. In a clone of the sources they are made by
<code>make console</code> (that is <code>npm ci</code> and <code>npm run build</code> in <code>web/console</code>); an
installed release has them. Reload this page afterwards.</p>
<p>The commands <code>whimbrel status</code> and <code>whimbrel help</code> do all that the console does.</p>
"""


@dataclass(frozen=True, slots=True)
class Asset:
    """One file: its type, and by encoding (identity is empty) where it lies and its ETag."""

    kind: str
    variants: Mapping[str, tuple[Path, str]]


@dataclass(frozen=True, slots=True)
class Built:
    """The console as it was built: `stamp` changes when it is built anew."""

    stamp: tuple[int, int]
    page: bytes
    assets: Mapping[str, Asset]


class Pages:
    def __init__(self, folder: Path, pool: Pool) -> None:
        """`folder` has index.html and what belongs to it, or does not exist."""
        self._folder, self._pool = folder, pool
        self._built: Built | None = None

    async def serve(self, exchange: Exchange) -> None:
        """Answers GET and HEAD. Refusal, Broken, Gone."""
        if _TRICK.search(exchange.path):
            raise Refusal(404, "There is nothing at this address.")
        self._built = built = await self._pool.run(look, self._folder, self._built)
        if built is None:
            await exchange.answer(503, _TYPES[".html"], _NOT_BUILT.encode(), [(b"cache-control", b"no-store")])
        elif asset := built.assets.get(exchange.path):
            await self._file(exchange, asset)
        elif exchange.path.startswith(_ASSETS):
            raise Refusal(404, "There is no such file; the console may have been renewed: reload the page.")
        else:
            await self._page(exchange, built.page)

    async def _page(self, exchange: Exchange, page: bytes) -> None:
        nonce = secrets.token_urlsafe(16) if NONCE in page else ""
        headers = [(b"cache-control", b"no-store"), console_policy(page, nonce)]
        await exchange.answer(200, _TYPES[".html"], page.replace(NONCE, nonce.encode()), headers)

    async def _file(self, exchange: Exchange, asset: Asset) -> None:
        accepted = encodings(exchange.header(b"accept-encoding") or b"")
        encoding = next((name for name, _ in _ENCODINGS if name in accepted and name in asset.variants), "")
        path, tag = asset.variants[encoding]
        kept = b"public, max-age=31536000, immutable" if exchange.path.startswith(_ASSETS) else b"no-cache"
        headers: Headers = [(b"cache-control", kept), (b"etag", tag.encode()), (b"vary", b"accept-encoding")]
        if matches(exchange.header(b"if-none-match") or b"", tag):
            await exchange.begin(304, headers)
            await exchange.end()
            return
        if encoding:
            headers.append((b"content-encoding", encoding.encode()))
        try:
            content = await self._pool.run(path.read_bytes)
        except OSError:
            self._built = None  # It is being built anew.
            raise Refusal(503, "The console is being renewed: reload the page.", retry_after=2) from None
        await exchange.answer(200, asset.kind, content, headers)


def look(folder: Path, before: Built | None) -> Built | None:
    """What is built there now; `before` if that is still it. None: nothing is."""
    try:
        stat = (folder / "index.html").stat()
        stamp = (stat.st_mtime_ns, stat.st_ino)
        if before is not None and before.stamp == stamp:
            return before
        assets = {}
        for number, path in enumerate(sorted(folder.rglob("*"))):
            if number >= _MOST_FILES:
                break
            name = f"/{path.relative_to(folder).as_posix()}"
            if path.is_file() and path.suffix not in (".br", ".gz", ".map") and name != _INDEX:
                assets[name] = Asset(_TYPES.get(path.suffix, "application/octet-stream"), dict(_variants(path)))
        return Built(stamp, (folder / "index.html").read_bytes(), assets)
    except OSError:
        return None


def _variants(path: Path) -> list[tuple[str, tuple[Path, str]]]:
    tag = hashlib.sha256(path.read_bytes()).hexdigest()[:24]
    variants = [("", (path, f'"{tag}"'))]
    for encoding, suffix in _ENCODINGS:
        packed = path.with_name(path.name + suffix)
        if packed.is_file():
            variants.append((encoding, (packed, f'"{tag}-{encoding}"')))
    return variants


def encodings(header: bytes) -> set[str]:
    """Those that Accept-Encoding allows by name. RFC 9110 12.5.3"""
    accepted = set()
    for part in header.decode("latin-1").lower().split(",")[:50]:
        name, _, weight = part.partition(";")
        if not re.fullmatch(r"\s*q\s*=\s*0(\.0*)?\s*", weight):
            accepted.add(name.strip())
    return accepted


def matches(header: bytes, tag: str) -> bool:
    """Whether If-None-Match names `tag`. RFC 9110 13.1.2"""
    named = [part.strip().removeprefix("W/") for part in header.decode("latin-1").split(",")[:50]]
    return tag in named or named == ["*"]
