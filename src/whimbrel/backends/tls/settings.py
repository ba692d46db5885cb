"""Which certificate we show, which TLS we speak, and whom we believe."""

from collections.abc import Iterator
from typing import Literal

from whimbrel.backends.tls.checks import certificate
from whimbrel.core.settings import Concern, Section, Whole, required, setting
from whimbrel.core.values import Duration

SERVER_CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK"
"""For TLS 1.2; those of TLS 1.3 are all good. RFC 9325 4.2"""


class HostCertificate(Section, tag="host", key="name"):
    """The certificate for clients that ask for this name (SNI, RFC 6066 3)."""

    name: str = required(
        help="Name, such as mail.example.org, or *.example.org for all one level below it.",
        pattern=r"^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
        like="a name such as mail.example.org or *.example.org",
    )
    certificate: str = setting("", help="File of the certificate and its chain (PEM).")
    private_key: str = setting("", help="File of its private key (PEM), unless it is in the same file.")


def _certificate(whole: Whole) -> Iterator[Concern]:
    return certificate(whole.section(TlsSettings), whole)


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
        "", help="File of our certificate and its chain (PEM). Unset: self-signed, made at first start.", row="S69"
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
