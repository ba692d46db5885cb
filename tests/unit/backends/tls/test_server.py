"""Which certificate a client is shown, what it resumes, and what binds an exchange to the connection."""

import datetime
import hashlib
import os
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.unit.backends.tls.test_authority import shake
from whimbrel.backends.net.secure import Secure
from whimbrel.backends.tls import authority
from whimbrel.backends.tls.certificate_check import look_at
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.endpoint import endpoint_of, endpoint_of_pem
from whimbrel.backends.tls.server import ServerContexts
from whimbrel.backends.tls.settings import HostCertificate, TlsSettings


def client_context(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def der(path: Path) -> bytes:
    text = path.read_text()
    begin = text.index("-----BEGIN CERTIFICATE")
    return ssl.PEM_cert_to_DER_cert(text[begin : text.index("-----END CERTIFICATE", begin) + 25].strip())


def pair(folder: Path, name: str, key: object = None) -> str:
    """A file with a certificate of that name and its key."""
    path = folder / f"{name}.pem"
    made = authority.self_signed([name])
    authority.write_file(path, made.key + made.certificate, 0o600)
    return str(path)


def settings(folder: Path) -> TlsSettings:
    return TlsSettings(
        certificate=pair(folder, "default.test"),
        hosts=(
            HostCertificate(name="mail.example.test", certificate=pair(folder, "mail.example.test")),
            HostCertificate(name="*.other.test", certificate=pair(folder, "wild.other.test")),
        ),
    )


def test_the_name_that_a_client_asks_for_chooses_the_certificate(tmp_path: Path) -> None:
    contexts = ServerContexts()
    contexts.refresh(settings(tmp_path), tmp_path / "none")
    for asked, file in (
        ("mail.example.test", "mail.example.test"),
        ("MAIL.example.test", "mail.example.test"),
        ("imap.other.test", "wild.other.test"),
        ("a.imap.other.test", "default.test"),
        ("other.test", "default.test"),
        ("unknown.test", "default.test"),
        (None, "default.test"),
    ):
        shown = shake(contexts.base, client_context(), asked)  # type: ignore[arg-type]
        assert shown.getpeercert(binary_form=True) == der(tmp_path / f"{file}.pem"), asked


def test_one_unusable_file_is_named_and_costs_its_own_name_alone(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    (tmp_path / "mail.example.test.pem").write_text("nothing")
    contexts = ServerContexts()
    looked_at = contexts.refresh(configured, tmp_path / "none")
    assert [(Path(each.file).name, bool(each.reason)) for each in looked_at] == [
        ("default.test.pem", False), ("mail.example.test.pem", True), ("wild.other.test.pem", False),
    ]  # fmt: skip
    shown = shake(contexts.base, client_context(), "mail.example.test")
    assert shown.getpeercert(binary_form=True) == der(tmp_path / "default.test.pem")
    assert contexts.refresh(configured, tmp_path / "none") == []  # Told once.
    pair(tmp_path, "mail.example.test")
    assert len(contexts.refresh(configured, tmp_path / "none")) == 1
    shown = shake(contexts.base, client_context(), "mail.example.test")
    assert shown.getpeercert(binary_form=True) == der(tmp_path / "mail.example.test.pem")


def test_another_kind_of_key_leaves_nothing_of_the_former_certificate(tmp_path: Path) -> None:
    """One context would keep both, and show old clients the old one for ever."""
    path = tmp_path / "cert.pem"
    contexts = ServerContexts()
    for key in (rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP256R1())):
        _, text = signed(key, hashes.SHA256())
        authority.write_file(path, text, 0o600)
        contexts.refresh(TlsSettings(certificate=str(path)), tmp_path / "none")
    only_rsa = client_context(ssl.TLSVersion.TLSv1_2)
    only_rsa.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")
    with pytest.raises(ssl.SSLError):
        shake(contexts.base, only_rsa, "x.test")


class Visit:
    """A client that comes again with the session it was given."""

    def __init__(self, contexts: ServerContexts, version: ssl.TLSVersion) -> None:
        self.contexts, self.client, self.session = contexts, client_context(version), None
        self.server: Secure | None = None

    def come(self) -> bool:
        """Whether it resumed."""
        back, there = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.server = server = Secure(self.contexts.base)
        ours = self.client.wrap_bio(back, there, server_hostname="mail.example.test", session=self.session)
        for _ in range(6):
            try:
                ours.do_handshake()
            except ssl.SSLWantReadError:
                pass
            if there.pending:
                server.feed(there.read())
            back.write(server.outgoing())
        server.hold(b"x")
        back.write(server.sealed())
        assert ours.read(1) == b"x"  # With TLS 1.3 the ticket comes before it.
        self.session = ours.session
        return bool(ours.session_reused)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_in_any_process_forked_later_and_after_a_new_certificate(
    tmp_path: Path, version: ssl.TLSVersion
) -> None:
    configured = settings(tmp_path)
    contexts = ServerContexts()
    contexts.refresh(configured, tmp_path / "none")
    visit = Visit(contexts, version)
    assert not visit.come()
    child = os.fork()
    if not child:
        try:
            os._exit(0 if all(visit.come() for _ in range(5)) else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert visit.come()
    assert visit.server is not None and visit.server.channel_binding("tls-server-end-point")
    pair(tmp_path, "mail.example.test")
    contexts.refresh(configured, tmp_path / "none")
    assert visit.come()
    # What the client knows may be the former certificate, so that nothing can be bound to it.
    assert visit.server.channel_binding("tls-server-end-point") is None


def test_the_binding_is_of_the_certificate_that_the_name_chose(tmp_path: Path) -> None:
    contexts = ServerContexts()
    contexts.refresh(settings(tmp_path), tmp_path / "none")
    visit = Visit(contexts, ssl.TLSVersion.TLSv1_2)
    visit.come()
    assert visit.server is not None
    expected = hashlib.sha256(der(tmp_path / "mail.example.test.pem")).digest()
    assert visit.server.channel_binding("tls-server-end-point") == expected
    assert visit.server.channel_binding("tls-unique")
    assert visit.server.channel_binding("tls-exporter") is None
    assert Secure(contexts.base).channel_binding("tls-server-end-point") is None  # No handshake yet.


def signed(key: object, algorithm: object, pad: object = None) -> tuple[bytes, bytes]:
    """A certificate in DER, and with its key in PEM."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x.test")])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, now, now + datetime.timedelta(1))  # type: ignore[attr-defined]
    certificate = builder.sign(key, algorithm, **({"rsa_padding": pad} if pad else {}))  # type: ignore[arg-type]
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # type: ignore[attr-defined]
    return certificate.public_bytes(Encoding.DER), text + certificate.public_bytes(Encoding.PEM)


def test_the_hash_of_the_binding_is_that_of_the_signature() -> None:
    """RFC 5929 4.1; MD5 and SHA-1 count as SHA-256; Ed25519 has none."""
    elliptic, old = ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 2048)
    for key, algorithm, hashed in (
        (elliptic, hashes.SHA256(), "sha256"),
        (elliptic, hashes.SHA384(), "sha384"),
        (elliptic, hashes.SHA512(), "sha512"),
        (old, hashes.SHA256(), "sha256"),
        (old, hashes.SHA384(), "sha384"),
    ):
        certificate, text = signed(key, algorithm)
        assert endpoint_of(certificate) == hashlib.new(hashed, certificate).digest() == endpoint_of_pem(text)
    for algorithm, hashed in ((hashes.SHA384(), "sha384"), (hashes.SHA256(), "sha256")):
        certificate, _ = signed(old, algorithm, padding.PSS(padding.MGF1(algorithm), algorithm.digest_size))
        assert endpoint_of(certificate) == hashlib.new(hashed, certificate).digest()
    certificate, _ = signed(ed25519.Ed25519PrivateKey.generate(), None)
    assert endpoint_of(certificate) == b""


def test_octets_that_are_no_certificate_give_no_binding_and_no_exception() -> None:
    certificate, _ = signed(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    for cut in range(len(certificate)):
        assert endpoint_of(certificate[:cut]) == b""
    for octet in range(64):
        endpoint_of(certificate[:octet] + b"\xff" + certificate[octet + 1 :])


def test_what_is_wrong_is_logged_once_and_a_change_is_seen_within_the_interval(tmp_path: Path) -> None:
    config, clock, log = FakeConfig(settings(tmp_path)), FakeClock(), MemoryLog()
    tls = TlsContexts(config, tmp_path / "tls", lambda: ("x.test",), log, clock)
    base = tls.server_context()
    (tmp_path / "wild.other.test.pem").write_text("nothing")
    for _ in range(3):
        clock.forward(5)
        assert tls.server_context() is base
    assert [Path(str(each["file"])).name for each in log.named("tls.certificate-unusable")] == ["wild.other.test.pem"]
    pair(tmp_path, "wild.other.test")
    clock.forward(5)
    tls.server_context()
    assert len(log.named("tls.certificate-loaded")) == 1
    shown = shake(base, client_context(), "imap.other.test")
    assert shown.getpeercert(binary_form=True) == der(tmp_path / "wild.other.test.pem")


def test_a_check_of_the_settings_looks_at_every_certificate(tmp_path: Path) -> None:
    configured = settings(tmp_path)
    faults = [seen for path, *files in configured.named_pairs for seen in look_at(*files, "", path) if seen.refused]
    assert not faults
    (tmp_path / "wild.other.test.pem").unlink()
    faults = [seen for path, *files in configured.named_pairs for seen in look_at(*files, "", path) if seen.refused]
    assert len(faults) == 1 and "wild.other.test.pem" in faults[0].text
