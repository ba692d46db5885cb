"""The step `certificate`: what the server shows to those who connect by TLS."""

import time
from collections.abc import Sequence
from typing import Final

from whimbrel.services.setup.answers import CertificatePair, Making
from whimbrel.services.setup.field import Field, Kind, Values, Wrong, choice, lines
from whimbrel.services.setup.machine import Machine, PairLook
from whimbrel.services.setup.step import Check, Finding, Level, Step, ok

MOST: Final = 200_000
"""Characters of a chain, or of a key."""
_SOURCES: Final = (
    ("self-signed", "Make one that signs itself; a real one can follow later"),
    ("import", "Import a certificate with its key"),
)
_IMPORT: Final = ("certificate.source", "import")


def _pair(values: Values) -> CertificatePair | None:
    """The one to be imported; the key may stand in the same text."""
    if values.text("certificate.source") != "import" or not values.text("certificate.chain"):
        return None
    chain = values.text("certificate.chain")
    return CertificatePair(chain.encode(), (values.text("certificate.key") or chain).encode())


def _look(values: Values, machine: Machine) -> Sequence[Finding]:
    if values.text("certificate.source") != "import":
        text = "Mail programs and browsers warn of a certificate that signs itself."
        return [Finding(Level.UNKNOWN, text, "Import one later: whimbrel config set tls/certificate=FILE ...")]
    if (pair := _pair(values)) is None:
        return []
    seen = machine.look_at(pair.certificate, pair.key)
    if seen.faults:
        return [Finding(Level.ERROR, text, "", "certificate.chain") for text in seen.faults]
    findings = [Finding(Level.WARNING, text, "", "certificate.chain") for text in seen.doubts]
    return [*findings, _names(values, seen)]


def _names(values: Values, seen: PairLook) -> Finding:
    hostname = values.text("hostname").lower()
    names = ", ".join(seen.names[:6])
    if hostname and not {hostname, f"*.{hostname.partition('.')[2]}"} & set(seen.names):
        advice = "Mail programs that are set up with that name will warn."
        return Finding(Level.WARNING, f"It is not for {hostname}, but for {names}.", advice, "certificate.chain")
    return ok(f"It is for {names}, until {time.strftime('%d %b %Y', time.gmtime(seen.ends))}.")


def _add(values: Values, making: Making) -> None:
    making.certificate = _pair(values)
    if values.text("certificate.source") == "import" and making.certificate is None:
        raise Wrong([("certificate.chain", "is missing")])


def _words(values: Values) -> Sequence[str]:
    if _pair(values) is not None:
        return ["The certificate that you gave is shown to clients."]
    return ["The server makes a certificate that signs itself."]


CERTIFICATE = Step(
    "certificate",
    "Certificate",
    "What mail programs and browsers check when they connect.",
    (
        Field(
            name="certificate.source",
            title="Certificate",
            help="One that signs itself is made in any case until another one is set.",
            kind=Kind.CHOICE,
            choices=_SOURCES,
            read=choice(*(word for word, _ in _SOURCES)),
            default="self-signed",
        ),
        Field(
            name="certificate.chain",
            title="Certificate with its chain (PEM)",
            help="The certificate, then those of its issuers.",
            kind=Kind.FILE,
            read=lines(MOST),
            shown_if=_IMPORT,
        ),
        Field(
            name="certificate.key",
            title="Private key (PEM)",
            help="Without a passphrase; nothing if it is in the same file.",
            kind=Kind.FILE,
            read=lines(MOST),
            default="",
            shown_if=_IMPORT,
        ),
    ),
    (Check("pair", "Certificate", _look),),
    add=_add,
    words=_words,
)
