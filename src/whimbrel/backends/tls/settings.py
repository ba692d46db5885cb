"""Which certificate we show, which TLS we speak, and whom we believe."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from whimbrel.core.settings import Concern, Gravity, Section, Whole, required, setting
from whimbrel.core.values import Duration

SERVER_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"
"""For TLS 1.2; those of TLS 1.3 are all good. RFC 9325 4.2"""

CERTIFICATE, KEY, AUTHORITIES = "tls/certificate", "tls/private-key", "tls/authorities"


class HostCertificate(Section, tag="host", key="name"):
    """The certificate for clients that ask for this name (SNI, RFC 6066 3)."""

    name: str = required(
        help="Name, such as mail.example.org, or *.example.org for all one level below it.",
        pattern=r"^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        like="a name such as mail.example.org or *.example.org",
    )
    certificate: str = setting("", help="File of the certificate and its chain (PEM).", check="certificate")
    private_key: str = setting("", help="File of its private key (PEM), unless it is in the same file.")


def _certificate(whole: Whole) -> Iterator[Concern]:
    """What keeps the server from showing the certificate that is set."""
    settings = whole.section(TlsSettings)
    if settings.private_key and not settings.certificate:
        yield Concern(KEY, "is used only with tls/certificate, which is not set")
    for host in settings.hosts:
        if not host.certificate:
            yield Concern(f"tls/host[{host.name}]/certificate", "names no file", Gravity.WRONG)
    unread = [Concern(path, text, Gravity.WRONG) for path, file in settings.files if (text := _unreadable(file, whole))]
    yield from unread
    if settings.ciphers == SERVER_CIPHERS and not settings.files:
        return
    from whimbrel.backends.tls import certificate_check  # Here: few need what it loads.

    if settings.ciphers != SERVER_CIPHERS and (text := certificate_check.fault_of_ciphers(settings.ciphers)):
        yield Concern("tls/ciphers", text, Gravity.WRONG)
    bad = {concern.path for concern in unread}
    authorities = "" if AUTHORITIES in bad else settings.authorities
    if authorities and (text := certificate_check.fault_of_authorities(authorities)):
        yield Concern(AUTHORITIES, text, Gravity.WRONG)
        authorities = ""
    for path, certificate, key in settings.named_pairs:
        of_key = f"{path}/private-key"
        if not bad & {f"{path}/certificate", of_key}:
            for fault in certificate_check.look_at(certificate, key, authorities, path):
                where = of_key if fault.of_key else f"{path}/certificate"
                yield Concern(where, fault.text, Gravity.WRONG if fault.refused else Gravity.WARNING)


class TlsSettings(Section, tag="tls", checks=(_certificate,)):
    """Certificates and versions of TLS."""

    minimum_version: Literal["1.2", "1.3"] = setting("1.2", help="Oldest TLS version accepted (RFC 9325).", row="S66")
    ciphers: str = setting(
        SERVER_CIPHERS,
        help="Ciphers for TLS 1.2, in OpenSSL's form.",
        pattern=r"^[A-Za-z0-9+:!@=_-]{1,500}$",
        like="a list of ciphers as OpenSSL writes it, such as ECDHE+AESGCM:!aNULL",
        advanced=True,
    )
    certificate: str = setting(
        "",
        help="File of our certificate and its chain (PEM). Unset: self-signed, made at first start.",
        row="S69",
        check="certificate",
    )
    private_key: str = setting(
        "", help="File of the certificate's private key (PEM), unless it is in the same file.", row="S69"
    )
    hosts: tuple[HostCertificate, ...] = setting(
        (), help="Further certificates, by the name that a client asks for; all others get `certificate`.", row="S69"
    )
    authorities: str = setting(
        "", help="File of further authorities (PEM) believed when others' certificates are checked.", advanced=True
    )
    reload_interval: Duration = setting(
        Duration("5s"), minimum=0, maximum=3600, help="How often the files are looked at for a change.", advanced=True
    )

    @property
    def named_pairs(self) -> list[tuple[str, str, str]]:
        """Path of the two settings, file of the certificate, file of the key or nothing, of each that is set."""
        all_of_them = [("tls", self.certificate, self.private_key)]
        all_of_them += [(f"tls/host[{host.name}]", host.certificate, host.private_key) for host in self.hosts]
        return [each for each in all_of_them if each[1]]

    @property
    def files(self) -> list[tuple[str, str]]:
        """Path of the setting, and the file that it names, of each that names one."""
        named = [(CERTIFICATE, self.certificate), (KEY, self.private_key), (AUTHORITIES, self.authorities)]
        for host in self.hosts:
            path = f"tls/host[{host.name}]"
            named += [(f"{path}/certificate", host.certificate), (f"{path}/private-key", host.private_key)]
        return [(path, file) for path, file in named if file]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """File of the certificate and file of the key, of each that is set."""
        own = [(self.certificate, self.private_key or self.certificate)] if self.certificate else []
        return [*own, *((host.certificate, host.private_key or host.certificate) for host in self.hosts)]


def _unreadable(file: str, whole: Whole) -> str:
    """Why the server could not read `file`; empty if it can."""
    if not os.path.isabs(file):
        return f"write the whole path of the file: {Path(whole.folder, file)}"
    path = Path(file)
    try:
        with path.open("rb") as opened:
            status = os.fstat(opened.fileno())
    except OSError as error:
        return f"{path}: {error.strerror}"
    if not stat.S_ISREG(status.st_mode):
        return f"{path} is no file"
    return ""
