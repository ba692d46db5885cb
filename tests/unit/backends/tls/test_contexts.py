"""Contexts follow settings and files without a restart, and say truly whether a peer was verified."""

import os
import ssl
import time
from pathlib import Path

import pytest

from tests.support.certs import certificates, self_signed
from tests.support.fakes import FakeClock, FakeConfig, MemoryLog
from tests.unit.backends.tls.test_authority import shake
from whimbrel.backends.tls import authority, certificate_files
from whimbrel.backends.tls.certificate_check import fault_of_authorities, fault_of_ciphers, look_at
from whimbrel.backends.tls.contexts import TlsContexts
from whimbrel.backends.tls.settings import TlsSettings
from whimbrel.backends.tls.shown import serves
from whimbrel.core.net import TlsMode, TlsPolicy

OPPORTUNISTIC, VERIFIED = TlsPolicy(TlsMode.OPPORTUNISTIC), TlsPolicy(TlsMode.VERIFIED)


class Bench:
    def __init__(self, folder: Path, settings: TlsSettings | None = None) -> None:
        self.config, self.clock, self.log = FakeConfig(settings or TlsSettings()), FakeClock(time.time()), MemoryLog()
        self.names = ["mail.example.test"]
        self.tls = TlsContexts(self.config, folder / "tls", lambda: self.names, self.log, self.clock)


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def shown(context: ssl.SSLContext) -> bytes:
    """The certificate a client is shown."""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    certificate = shake(context, client, "mail.example.test").getpeercert(binary_form=True)
    assert certificate
    return certificate


def der(path: Path) -> bytes:
    text = path.read_text()
    return ssl.PEM_cert_to_DER_cert(text[text.index("-----BEGIN CERTIFICATE") :])


def test_a_first_start_makes_a_certificate_that_only_the_owner_may_read(bench: Bench) -> None:
    assert bench.tls.ensure_certificate()
    assert bench.tls.self_signed.stat().st_mode & 0o777 == 0o600
    assert bench.tls.self_signed.parent.stat().st_mode & 0o777 == 0o700
    assert shown(bench.tls.server_context()) == der(bench.tls.self_signed)
    assert not bench.tls.ensure_certificate()


def test_it_is_renewed_near_its_end_and_for_other_names(bench: Bench) -> None:
    bench.tls.ensure_certificate()
    short = authority.self_signed(bench.names, days=29)
    authority.write_file(bench.tls.self_signed, short.key + short.certificate, 0o600)
    assert bench.tls.ensure_certificate()
    assert serves(bench.tls.self_signed, bench.tls.self_signed, bench.names, bench.clock.now() + 800 * 86_400)
    bench.names.append("imap.example.test")
    assert bench.tls.ensure_certificate()
    assert len(bench.log.named("tls.certificate-made")) == 3


def test_no_certificate_is_made_where_one_is_configured(tmp_path: Path) -> None:
    bench = Bench(tmp_path, TlsSettings(certificate=str(certificates().certificate)))
    assert not bench.tls.ensure_certificate()
    assert not bench.tls.self_signed.exists()


def test_the_context_is_made_once_and_again_when_the_file_changes(bench: Bench) -> None:
    bench.tls.ensure_certificate()
    first = bench.tls.server_context()
    assert bench.tls.server_context() is first
    bench.clock.forward(10)
    assert bench.tls.server_context() is first
    pair = authority.self_signed(bench.names)
    authority.write_file(bench.tls.self_signed, pair.key + pair.certificate, 0o600)
    before = shown(first)
    assert shown(bench.tls.server_context()) == before  # Not looked at again within the interval.
    bench.clock.forward(10)
    assert shown(bench.tls.server_context()) == ssl.PEM_cert_to_DER_cert(pair.certificate.decode())


def test_a_file_that_cannot_be_used_leaves_the_old_certificate_in_use_and_is_told_once(bench: Bench) -> None:
    bench.tls.ensure_certificate()
    first = shown(bench.tls.server_context())
    bench.tls.self_signed.write_text("not a certificate")
    for _ in range(3):
        bench.clock.forward(10)
        assert shown(bench.tls.server_context()) == first
    assert [record["reason"] for record in bench.log.named("tls.certificate-unusable")] == [
        "the file holds no certificate and key in PEM"
    ]
    os.unlink(bench.tls.self_signed)
    bench.clock.forward(10)
    assert shown(bench.tls.server_context()) == first
    bench.tls.ensure_certificate()
    bench.clock.forward(10)
    assert shown(bench.tls.server_context()) != first


def test_without_any_certificate_there_is_no_context(bench: Bench) -> None:
    with pytest.raises(OSError):
        bench.tls.server_context()


def test_a_change_of_settings_counts_at_once(bench: Bench) -> None:
    bench.tls.ensure_certificate()
    old = ssl.create_default_context()
    old.check_hostname, old.verify_mode, old.maximum_version = False, ssl.CERT_NONE, ssl.TLSVersion.TLSv1_2
    assert shake(bench.tls.server_context(), old, "x.test").version() == "TLSv1.2"
    bench.config.use(TlsSettings(minimum_version="1.3"))
    with pytest.raises(ssl.SSLError):
        shake(bench.tls.server_context(), old, "x.test")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_and_weak_ciphers_are_refused(bench: Bench) -> None:
    bench.tls.ensure_certificate()
    for ciphers, version in (("ALL:@SECLEVEL=0", ssl.TLSVersion.TLSv1_1), ("AES128-SHA", ssl.TLSVersion.TLSv1_2)):
        client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
        client.set_ciphers(ciphers)
        client.maximum_version = version
        if version is ssl.TLSVersion.TLSv1_1:
            client.minimum_version = ssl.TLSVersion.TLSv1
        with pytest.raises(ssl.SSLError):
            shake(bench.tls.server_context(), client, "x.test")


def test_tls_1_3_with_a_modern_client_and_one_ticket(bench: Bench) -> None:
    bench.tls.ensure_certificate()
    context = bench.tls.server_context()
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    assert shake(context, client, "x.test").version() == "TLSv1.3"
    assert context.num_tickets == 1


def test_opportunistic_tls_takes_any_certificate_and_knows_which_were_good(tmp_path: Path) -> None:
    files = certificates("mail.example.test")
    bench = Bench(tmp_path, TlsSettings(authorities=str(files.authority)))
    client = bench.tls.client_context(OPPORTUNISTIC)
    good = shake(files.server(), client, "mail.example.test")
    assert bench.tls.verified(good, "mail.example.test")
    assert not bench.tls.verified(good, "other.example.test")
    unknown = shake(self_signed("mail.example.test"), client, "mail.example.test")
    assert not bench.tls.verified(unknown, "mail.example.test")
    assert not bench.tls.verified(good, "")


def test_a_policy_that_demands_verification_refuses_strangers_and_wrong_names(tmp_path: Path) -> None:
    files = certificates("mail.example.test")
    bench = Bench(tmp_path, TlsSettings(authorities=str(files.authority)))
    for policy in (VERIFIED, TlsPolicy(TlsMode.IMPLICIT)):
        client = bench.tls.client_context(policy)
        assert bench.tls.verified(shake(files.server(), client, "mail.example.test"), "mail.example.test")
        for server, name in ((files.server(), "other.test"), (self_signed("mail.example.test"), "mail.example.test")):
            with pytest.raises(ssl.SSLCertVerificationError):
                shake(server, client, name)


def test_new_authorities_count_at_once(tmp_path: Path) -> None:
    files = certificates("mail.example.test")
    bench = Bench(tmp_path)
    good = shake(files.server(), bench.tls.client_context(OPPORTUNISTIC), "mail.example.test")
    assert not bench.tls.verified(good, "mail.example.test")
    bench.config.use(TlsSettings(authorities=str(files.authority)))
    assert bench.tls.verified(good, "mail.example.test")
    shake(files.server(), bench.tls.client_context(VERIFIED), "mail.example.test")


def check_settings(settings: TlsSettings) -> None:
    faults = [fault_of_ciphers(settings.ciphers)]
    faults += [fault_of_authorities(settings.authorities)] if settings.authorities else []
    for path, certificate, key in settings.named_pairs:
        faults += [seen.text for seen in look_at(certificate, key, "", path) if seen.refused]
    if any(faults):
        raise ValueError("; ".join(filter(None, faults)))


def test_settings_that_cannot_work_are_named_before_use(tmp_path: Path) -> None:
    files, other = certificates("a.test"), certificates("b.test")
    check_settings(TlsSettings())
    check_settings(TlsSettings(certificate=str(files.certificate), authorities=str(files.authority)))
    for settings, words in (
        (TlsSettings(certificate=str(files.certificate), private_key=str(other.certificate)), "does not belong"),
        (TlsSettings(certificate=str(tmp_path / "none")), "No such file"),
        (TlsSettings(certificate=str(files.certificate), ciphers="NONSENSE"), "no such cipher"),
        (TlsSettings(authorities=str(tmp_path / "none")), "No such file"),
    ):
        with pytest.raises(ValueError, match=words):
            check_settings(settings)


def test_a_file_that_could_not_be_read_is_used_once_its_mode_is_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cert.pem"
    pair = authority.self_signed(["mail.example.test"])
    authority.write_file(file, pair.key + pair.certificate, 0o600)
    bench = Bench(tmp_path, TlsSettings(certificate=str(file)))
    with monkeypatch.context() as patch:
        patch.setattr(certificate_files, "_read", _denied)  # As to another user than root, who reads everything.
        with pytest.raises(OSError):
            bench.tls.server_context()
    file.chmod(0o644)
    bench.clock.forward(5)
    assert shown(bench.tls.server_context()) == der(file)


def _denied(path: str) -> bytes:
    raise PermissionError(13, "Permission denied", path)
