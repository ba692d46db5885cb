"""Certificates for tests: one authority for the whole run, and contexts for both ends."""

import ssl
import tempfile
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from whimbrel.backends.tls import authority

NAMES = ("localhost", "127.0.0.1", "::1", "mail.example.test", "mx.example.test")


@dataclass(frozen=True, slots=True)
class TestCertificates:
    """Files of the authority, and of a certificate with its key in the same file."""

    __test__ = False

    authority: Path
    certificate: Path

    def server(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context

    def client(self) -> ssl.SSLContext:
        """Checks chain and name."""
        return ssl.create_default_context(cafile=self.authority)


_folders: list[tempfile.TemporaryDirectory[str]] = []


@lru_cache(16)
def certificates(*names: str) -> TestCertificates:
    """For `names` (NAMES unless given), by the run's authority; the files live as long as the process."""
    folder = tempfile.TemporaryDirectory(prefix="whimbrel-certs-")
    _folders.append(folder)
    root = _authority()
    pair = authority.sign(root, names or NAMES)
    files = TestCertificates(Path(folder.name, "ca.pem"), Path(folder.name, "cert.pem"))
    authority.write_file(files.authority, root.certificate, 0o644)
    authority.write_file(files.certificate, pair.key + pair.certificate + root.certificate, 0o600)
    return files


@lru_cache(1)
def _authority() -> authority.KeyPair:
    return authority.make_authority("Test authority")


@lru_cache(4)
def self_signed(*names: str) -> ssl.SSLContext:
    """A server's context with a certificate nobody believes."""
    folder = tempfile.TemporaryDirectory(prefix="whimbrel-certs-")
    _folders.append(folder)
    pair = authority.self_signed(names or NAMES)
    path = Path(folder.name, "self.pem")
    authority.write_file(path, pair.key + pair.certificate, 0o600)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
