"""Makes certificates: the self-signed one of a first start, and a small authority for demonstrations and tests.

Keys are EC P-256: a handshake costs a fraction of one with RSA. `cryptography` is imported where it is used, since it
costs 100 ms that a server with its certificate in place never spends.
Standards: RFC 5280 4.2 (extensions), RFC 9525 (names), RFC 9325 4.5.
"""

import ipaddress
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from whimbrel.backends.tls.shown import serves
from whimbrel.core.address import Domain

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

DAYS = 825
"""The longest that Apple's clients accept from an authority of one's own."""
DEMO_NAMES = ("localhost", "127.0.0.1", "::1", "mail.example.test")
_SKEW = timedelta(hours=1)
"""A client's clock may be behind."""


@dataclass(frozen=True, slots=True)
class KeyPair:
    """A certificate and its private key, both PEM. The key is not shown."""

    certificate: bytes
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DemoFiles:
    """Where a demonstration's authority, certificate (with the authority's) and key are."""

    authority: Path
    certificate: Path
    key: Path


def self_signed(names: Sequence[str], days: int = DAYS) -> KeyPair:
    """A certificate for `names` (domains and addresses; the first is the subject), signed by itself."""
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    return _issue(names, key, days, issuer=None, issuer_key=key)


def make_authority(name: str, names: Sequence[str] = (), days: int = DAYS) -> KeyPair:
    """An authority called `name`; with `names`, it can vouch for those alone (RFC 5280 4.2.1.10)."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name[:64])])
    builder = _begin(subject, subject, key, days)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(identifier)
    builder = builder.add_extension(authority, critical=False)
    if names:
        permitted = [_constraint(entry) for entry in names]
        builder = builder.add_extension(x509.NameConstraints(permitted, None), critical=True)
    return _pair(builder.sign(key, hashes.SHA256()), key)


def sign(authority: KeyPair, names: Sequence[str], days: int = DAYS) -> KeyPair:
    """A certificate for `names` with a new key, signed by `authority`."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(authority.certificate)
    issuer_key = load_pem_private_key(authority.key, None)
    assert isinstance(issuer_key, ec.EllipticCurvePrivateKey)
    return _issue(names, key, days, issuer=issuer, issuer_key=issuer_key)


def ensure_demo(folder: Path, names: Sequence[str] = DEMO_NAMES, renew_within: int = 30) -> DemoFiles:
    """`demo-ca.pem`, `demo-cert.pem` and `demo-key.pem` in `folder`; made anew when missing, for other names, or near
    their end.

    The authority's key is never written: nobody can make a second certificate that its believers would accept, and
    it can vouch for these names alone.
    """
    files = DemoFiles(folder / "demo-ca.pem", folder / "demo-cert.pem", folder / "demo-key.pem")
    until = (datetime.now(UTC) + timedelta(days=renew_within)).timestamp()
    if files.authority.is_file() and serves(files.certificate, files.key, names, until):
        return files
    authority = make_authority("Whimbrel demonstration authority", names)
    pair = sign(authority, names)
    folder.mkdir(parents=True, exist_ok=True)
    write_file(files.key, pair.key, 0o600)
    write_file(files.certificate, pair.certificate + authority.certificate, 0o644)
    write_file(files.authority, authority.certificate, 0o644)
    return files


def write_file(path: Path, content: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` for a moment."""
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.chmod(beside, mode)  # Whatever the umask, and if the file was there before.
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def _issue(
    names: Sequence[str],
    key: "EllipticCurvePrivateKey",
    days: int,
    *,
    issuer: "x509.Certificate | None",
    issuer_key: "EllipticCurvePrivateKey",
) -> KeyPair:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    # ub-common-name is 64 (RFC 5280 appendix A); the names that count are the alternative ones.
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, str(_general_name(names[0]).value)[:64])])
    builder = _begin(subject, issuer.subject if issuer else subject, key, days)
    builder = builder.add_extension(x509.SubjectAlternativeName([_general_name(name) for name in names]), False)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    purposes = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    builder = builder.add_extension(identifier, critical=False)
    signer = x509.SubjectKeyIdentifier.from_public_key(issuer_key.public_key())
    authority = x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(signer)
    builder = builder.add_extension(authority, critical=False)
    return _pair(builder.sign(issuer_key, hashes.SHA256()), key)


def _begin(
    subject: "x509.Name", issuer: "x509.Name", key: "EllipticCurvePrivateKey", days: int
) -> "x509.CertificateBuilder":
    from cryptography import x509

    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder(subject_name=subject, issuer_name=issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _SKEW)
        .not_valid_after(now - _SKEW + timedelta(days=days))
    )


def _usage(*, signs: bool) -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=not signs,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _pair(certificate: "x509.Certificate", key: "EllipticCurvePrivateKey") -> KeyPair:
    from cryptography.hazmat.primitives import serialization

    return KeyPair(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )  # fmt: skip


def _general_name(name: str) -> "x509.DNSName | x509.IPAddress":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(str(Domain(name)))


def _constraint(name: str) -> "x509.DNSName | x509.IPAddress":
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_network(name))
    except ValueError:
        return x509.DNSName(str(Domain(name)))
