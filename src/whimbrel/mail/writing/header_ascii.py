"""Header fields with raw octets above 127 in ASCII, for servers that take no others.

The octets are read as everywhere (UTF-8, else windows-1252), so that what was legible stays so: free text and display
names become encoded words, parameters take the form of RFC 2231. Where neither may stand (identifiers, dates, trace
fields, a local part) each such octet becomes a question mark.

Standards: RFC 2047 5 (where encoded words may stand), RFC 2231 4 (parameters), RFC 5322 3.4, 3.6.8, RFC 5321 2.4
"""

import re
from typing import Final
from urllib.parse import quote

from whimbrel.mail.decoding.charset import guess
from whimbrel.mail.decoding.encoded import words
from whimbrel.mail.structure.address_list import GROUP_END, Entry, entries
from whimbrel.mail.structure.header import unfold
from whimbrel.mail.writing.compose import clean, encoded_words, fold, mailbox

_ADDRESSES: Final = frozenset(
    b"""bcc cc disposition-notification-to from reply-to resent-bcc resent-cc resent-from resent-sender resent-to
    sender to""".split()
)
_PARAMETERS: Final = frozenset((b"content-type", b"content-disposition"))
_TOKENS: Final = frozenset(
    b"""content-id content-md5 content-transfer-encoding date dkim-signature in-reply-to message-id mime-version
    received references resent-date resent-message-id return-path""".split()
)
"""Fields in which neither encoded words nor encoded parameters may stand."""
_QUESTION: Final = bytes(range(128)) + b"?" * 128
_PARAMETER: Final = re.compile(
    rb"(;\s*)([!#$&+.0-9A-Z^_`a-z{|}~-]+)\s*=\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^;\"\r\n]*))", re.DOTALL
)
_PLAIN_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]+\Z")


def ascii_field(raw: bytes) -> bytes:
    """`raw` is one field with its line ends; so is what comes out."""
    name, colon, value = raw.partition(b":")
    key = name.strip().lower()
    if not (colon and name.isascii()) or key in _TOKENS:
        return raw.translate(_QUESTION)
    if key in _PARAMETERS:
        return _PARAMETER.sub(_parameter, raw).translate(_QUESTION)
    value = unfold(value).strip()
    if key in _ADDRESSES:
        text = _addresses(value)
        return raw.translate(_QUESTION) if text is None else fold(f"{name.decode('ascii').strip()}: {text}")
    text = words(value)
    return fold(f"{name.decode('ascii').strip()}: {encoded_words(clean(text, len(text)))}")


def _addresses(value: bytes) -> str | None:
    """None: an address lacks a part."""
    out: list[str] = []
    begins = True
    for entry in entries(value):
        if entry == GROUP_END:
            out.append(";")
            continue
        if not begins:
            out.append(", ")
        begins = entry.host is None
        if entry.host is None:
            out.append(f"{_phrase(words(entry.mailbox or b''))}: ")
        elif entry.host == b"MISSING_DOMAIN" or entry.mailbox == b"MISSING_MAILBOX":
            return None
        else:
            out.append(_mailbox(entry))
    return "".join(out)


def _phrase(text: str) -> str:
    return mailbox(text, "x").removesuffix(" <x>")


def _mailbox(entry: Entry) -> str:
    local = (entry.mailbox or b"").translate(_QUESTION).decode("ascii")
    if not _PLAIN_LOCAL.match(local):
        local = '"' + local.replace("\\", "\\\\").replace('"', '\\"') + '"'
    address = f"{local}@{(entry.host or b'').translate(_QUESTION).decode('ascii')}"
    name = words(entry.name or b"")
    return mailbox(name, address) if name else address


def _parameter(match: re.Match[bytes]) -> bytes:
    before, name, quoted, bare = match.groups()
    value = bare if quoted is None else re.sub(rb"\\(.)", rb"\1", quoted)
    if value.isascii():
        return match[0]
    text = guess(unfold(value).strip())
    return b"%b%b*=utf-8''%b" % (before, name, quote(text, safe="!#$&+-.^_`|~").encode("ascii"))
