"""A certificate looked at before it is shown: can it be used, is it in time, is its issuer there?

Standards: RFC 5280 4.1 (the certificate), RFC 8446 4.4.2 (the chain that a server sends)
"""

import re
import ssl
import time
from calendar import timegm
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from whimbrel.backends.tls.certificate_files import load, reason_of
from whimbrel.backends.tls.endpoint import element

SOON: Final = 14
"""Days before its end at which a certificate is warned of."""
_DAY: Final = 86400
_PEM: Final = re.compile(r"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)
_COMMON_NAME, _ORGANIZATION = bytes.fromhex("550403"), bytes.fromhex("55040a")
_UTC_TIME: Final = 0x17
_BUNDLE: Final = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Seen:
    """What is wrong with a certificate, or its key; `refused`: a server cannot show it."""

    text: str
    refused: bool = False
    of_key: bool = False


@dataclass(frozen=True, slots=True)
class Certificate:
    """The little of one that is looked at; names are in DER."""

    subject: bytes
    issuer: bytes
    begins: float
    ends: float


def fault_of_ciphers(ciphers: str) -> str:
    """Why they cannot be used; empty if they can."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).set_ciphers(ciphers)
    except ssl.SSLError as error:
        return reason_of(error)
    return ""


def fault_of_authorities(file: str) -> str:
    """Why they cannot be believed; empty if they can."""
    try:
        ssl.create_default_context(cafile=file)
    except (OSError, ValueError) as error:
        return reason_of(error)
    return ""


def look_at(certificate: str, key: str, authorities: str, path: str) -> list[Seen]:
    """What is to be said of the certificate in a file and its key (empty: in the same file). `path` is that of the
    settings, `authorities` a file of further ones that are believed, or nothing."""
    try:
        chain = _chain(certificate)
        if not chain:
            return [Seen("the file holds no certificate in PEM", refused=True)]
        if b"PRIVATE KEY-----" not in Path(key or certificate).read_bytes():
            both = f"`whimbrel config set '{path}/certificate=FILE' '{path}/private-key=FILE'`"
            what = f"the file holds no private key in PEM; set certificate and key in one change: {both}"
            return [Seen(what, refused=True, of_key=bool(key))]
        load(certificate, key or certificate)
    except (OSError, ValueError) as error:
        text, of_key = reason_of(error), reason_of(error).startswith("the private key")
        if "belong" in text and key:
            text += (
                f"; set both in one change: `whimbrel config set '{path}/certificate=FILE' '{path}/private-key=FILE'`"
            )
        return [Seen(text, refused=True, of_key=of_key and bool(key))]
    return [*_in_time(chain[0]), *_issued(chain, authorities)]


def _in_time(own: Certificate) -> list[Seen]:
    now = time.time()
    if own.ends <= now:
        return [Seen(f"the certificate has expired on {_date(own.ends)}: clients refuse it")]
    if own.begins > now:
        return [Seen(f"the certificate is not valid before {_date(own.begins)}: clients refuse it until then")]
    days = int((own.ends - now) // _DAY)
    return [Seen(f"the certificate expires in {days} days, on {_date(own.ends)}")] if days < SOON else []


def _issued(chain: list[Certificate], authorities: str) -> list[Seen]:
    """Its issuer must be in the file, unless it is one that clients have: a root."""
    own = chain[0]
    if own.issuer == own.subject or any(other.subject == own.issuer for other in chain[1:]):
        return []
    context = ssl.create_default_context()
    if not context.cert_store_stats()["x509"] and Path(_BUNDLE).is_file():
        context.load_verify_locations(_BUNDLE)  # OpenSSL was told of a folder alone, which it reads when asked.
    if authorities:
        context.load_verify_locations(authorities)
    for der in context.get_ca_certs(binary_form=True):
        try:
            if read(der).subject == own.issuer:
                return []
        except (IndexError, ValueError):
            continue
    issuer = name_of(own.issuer)
    return [
        Seen(
            f"the certificate of the issuer {issuer} is missing from the file: clients that do not have it refuse "
            "ours; append it (the authority gives it as chain or intermediate)"
        )
    ]


def _chain(file: str) -> list[Certificate]:
    """OSError; ValueError: one of them is no certificate."""
    text = Path(file).read_bytes()[: 1 << 20].decode("ascii", "replace")
    try:
        return [read(ssl.PEM_cert_to_DER_cert(pem)) for pem in _PEM.findall(text)]
    except (IndexError, ValueError):
        raise ValueError("the file is damaged: it holds no certificate in PEM that can be read") from None


def read(der: bytes) -> Certificate:
    """Of a certificate in DER. IndexError, ValueError: it is none. RFC 5280 4.1"""
    rest = element(element(der)[0])[0]
    if rest[0] == 0xA0:  # The version
        _, rest = element(rest)
    _, rest = element(rest)  # The serial number
    _, rest = element(rest)  # The algorithm of its signature
    issuer, rest = element(rest)
    validity, rest = element(rest)
    subject, _ = element(rest)
    begins, after = element(validity)
    ends, _ = element(after)
    return Certificate(subject, issuer, _time(validity[0], begins), _time(after[0], ends))


def _time(tag: int, text: bytes) -> float:
    """RFC 5280 4.1.2.5: UTCTime up to 2049, GeneralizedTime from 2050."""
    digits = text.decode("ascii")
    if tag == _UTC_TIME:
        digits = ("19" if digits[:2] >= "50" else "20") + digits
    return float(timegm(time.strptime(digits, "%Y%m%d%H%M%SZ")))


def name_of(name: bytes) -> str:
    """A name in DER as people know it: its common name, else its organization."""
    names: dict[bytes, str] = {}
    while name:
        inner, name = element(name)
        pair, _ = element(inner)
        kind, value = element(pair)
        names.setdefault(kind, element(value)[0].decode("utf-8", "replace"))
    text = names.get(_COMMON_NAME) or names.get(_ORGANIZATION) or "without a name"
    return "".join(char if char.isprintable() else "?" for char in text)[:100]


def _date(moment: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(moment))
