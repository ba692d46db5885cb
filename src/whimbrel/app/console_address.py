"""Where the console is, and the fingerprint by which people know its certificate before anybody vouches for it."""

import contextlib
import hashlib
import re
import ssl
from pathlib import Path
from typing import Final

_CERTIFICATE: Final = re.compile(r"-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----")


def lines(address: str, fingerprint: str) -> list[str]:
    """What is told first of all; nothing without an address."""
    if not address:
        return []
    return [f"Console: {address}", *([f"Certificate SHA-256: {fingerprint}"] if fingerprint else [])]


def fingerprint_of(file: Path) -> str:
    """SHA-256 of the first certificate in `file`, as browsers show it: `4F:1C:...`. Empty: there is none to be read."""
    try:
        match = _CERTIFICATE.search(file.read_bytes().decode("ascii", "replace"))
        return fingerprint(ssl.PEM_cert_to_DER_cert(match[0])) if match else ""
    except (OSError, ValueError):
        return ""


def fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).digest().hex(":").upper()


def of_installation(directory: Path) -> list[str]:
    """The lines for a server that was set up a moment ago; its own certificate is made where it needs one."""
    from whimbrel.app import ownership
    from whimbrel.app.installation import Installation
    from whimbrel.backends.tls import authority
    from whimbrel.backends.tls.contexts import SELF_SIGNED
    from whimbrel.backends.tls.server import default_pair
    from whimbrel.backends.tls.settings import TlsSettings
    from whimbrel.flow.settings import SmtpSettings
    from whimbrel.services.session.services import ServicesSettings, console_url

    installation = Installation(directory)
    config = installation.load_config()
    console, hostname = config.section(ServicesSettings).named("console"), config.section(SmtpSettings).hostname
    if not console.enabled:
        return []
    own = installation.tls / SELF_SIGNED
    certificate = Path(default_pair(config.section(TlsSettings), own)[0])
    if certificate == own and not own.exists():
        pair = authority.self_signed([hostname])
        own.parent.mkdir(mode=0o700, exist_ok=True)
        authority.write_file(own, pair.key + pair.certificate, 0o600)
        with contextlib.suppress(ownership.Refused):  # The first start says what is wrong with the user.
            if (user := ownership.owner(directory)) is not None:
                ownership.hand_over(directory, user)
    return lines(console_url(hostname, console.listen), fingerprint_of(certificate))
