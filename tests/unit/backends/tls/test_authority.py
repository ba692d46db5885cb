"""Certificates that we make: who they are for, who believes them, and who may read their keys."""

import os
import ssl
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography import x509

from whimbrel.backends.tls.authority import (
    DAYS,  # fmt: skip
    DEMO_NAMES,
    ensure_demo,
    make_authority,
    self_signed,
    sign,
    write_file,
)


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str) -> ssl.SSLObject:
    """A handshake in memory; returns the client's end."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    done = set()
    for _ in range(10):
        for end in (ours, theirs):
            try:
                end.do_handshake()
                done.add(end)
            except ssl.SSLWantReadError:
                pass
    assert len(done) == 2
    return ours


def server_context(folder: Path, certificate: bytes, key: bytes) -> ssl.SSLContext:
    path = folder / "pair.pem"
    path.write_bytes(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context


def test_a_self_signed_certificate_covers_its_names_for_825_days(tmp_path: Path) -> None:
    pair = self_signed(["mail.example.test", "bücher.test", "192.0.2.1", "2001:db8::1"])
    certificate = x509.load_pem_x509_certificate(pair.certificate)
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == [
        "mail.example.test", "xn--bcher-kva.test", "192.0.2.1", "2001:db8::1"]  # fmt: skip
    assert (certificate.not_valid_after_utc - certificate.not_valid_before_utc).days == DAYS
    assert certificate.public_key().curve.name == "secp256r1"  # type: ignore[union-attr]
    context = ssl.create_default_context(cadata=pair.certificate.decode())
    shake(server_context(tmp_path, pair.certificate, pair.key), context, "mail.example.test")


def test_two_installations_have_two_keys() -> None:
    assert self_signed(["a.test"]).key != self_signed(["a.test"]).key


def test_the_key_is_not_in_the_repr() -> None:
    assert "PRIVATE" not in repr(self_signed(["a.test"]))


@pytest.mark.parametrize("name", DEMO_NAMES)
def test_the_demo_certificate_is_believed_by_whoever_believes_the_demo_authority(tmp_path: Path, name: str) -> None:
    files = ensure_demo(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(files.certificate, files.key)
    shake(server, ssl.create_default_context(cafile=files.authority), name)


def test_the_demo_authority_vouches_for_its_own_names_alone_and_its_key_is_not_kept(tmp_path: Path) -> None:
    files = ensure_demo(tmp_path)
    assert sorted(os.listdir(tmp_path)) == ["demo-ca.pem", "demo-cert.pem", "demo-key.pem"]
    certificate = x509.load_pem_x509_certificate(files.authority.read_bytes())
    assert certificate.extensions.get_extension_for_class(x509.NameConstraints).critical
    authority = make_authority("An authority", ["example.test"])
    stranger = sign(authority, ["bank.test"])
    client = ssl.create_default_context(cadata=authority.certificate.decode())
    with pytest.raises(ssl.SSLCertVerificationError, match="permitted subtree violation"):
        shake(server_context(tmp_path, stranger.certificate, stranger.key), client, "bank.test")


def test_a_demo_is_kept_until_its_names_change_or_its_end_is_near(tmp_path: Path) -> None:
    first = ensure_demo(tmp_path).authority.read_bytes()
    assert ensure_demo(tmp_path).authority.read_bytes() == first
    assert ensure_demo(tmp_path, renew_within=DAYS + 1).authority.read_bytes() != first
    second = ensure_demo(tmp_path, (*DEMO_NAMES, "more.example.test")).authority.read_bytes()
    assert second != first
    (tmp_path / "demo-key.pem").unlink()
    assert ensure_demo(tmp_path, (*DEMO_NAMES, "more.example.test")).authority.read_bytes() != second


def test_keys_are_for_their_owner_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        files = ensure_demo(tmp_path)
        write_file(tmp_path / "k", b"x", 0o600)
    finally:
        os.umask(before)
    assert files.key.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "k").stat().st_mode & 0o777 == 0o600
    assert not [name for name in os.listdir(tmp_path) if name.startswith(".")]


def test_cryptography_is_not_imported_before_it_is_needed() -> None:
    code = "import sys, whimbrel.backends.tls.contexts; sys.exit(any('cryptography' in m for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
