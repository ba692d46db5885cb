"""The machine of a set-up, as it is. On Linux most of it is read from /proc. The port Machine of `services/setup`."""

import contextlib
import errno
import os
import pwd
import socket
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from whimbrel.app.holders import describe_holder, free_port
from whimbrel.app.machine import kernel
from whimbrel.app.machine.mounts import file_system, nearest
from whimbrel.app.machine.scanners import scanners
from whimbrel.app.setup import dialogue, places
from whimbrel.backends.net.own import own_address
from whimbrel.core.values import HostPort
from whimbrel.services.setup.machine import Clock, Dialogue, Disk, PairLook, Relay

_ANSWERS_WITHIN: Final = 5.0
_LONGEST: Final = 300
"""Characters of what another says."""


class RealMachine:
    def __init__(self, directory: Path) -> None:
        """`directory` is where the installation is to be."""
        self._directory = directory

    @property
    def root(self) -> bool:
        return os.geteuid() == 0

    def hostname(self) -> str:
        name = socket.getfqdn()
        if "." in name and not name.startswith("localhost"):
            return name
        return _reverse(_outward()) or name

    def addresses(self, name: str) -> Sequence[str]:
        return list(dict.fromkeys(str(each[4][0]) for each in socket.getaddrinfo(name, None)))

    def own(self, address: str) -> bool:
        return own_address(address)

    def resolver_fault(self) -> str:
        import dns.exception
        import dns.resolver

        try:
            dns.resolver.Resolver().resolve(".", "NS", lifetime=_ANSWERS_WITHIN)
        except dns.exception.DNSException as error:
            return str(error).rstrip(".")[:_LONGEST] or type(error).__name__
        return ""

    def holder(self, address: HostPort) -> str:
        host = "" if address.host == "*" else address.host
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, address.port))
            except PermissionError:
                return ""  # Whoever starts the server may; and says so if not.
            except OSError as error:
                if error.errno in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
                    return "not an address of this machine"
                return f"held by {describe_holder(address.host, address.port) or error.strerror}"
        return ""

    def another(self, address: HostPort) -> HostPort | None:
        """2525 for 25: as high as everybody may, and still known again."""
        host = "" if address.host == "*" else address.host
        with contextlib.suppress(OSError):
            wanted = int(f"2{address.port:03}") if address.port < 1024 else address.port + 1
            shown = f"[{host}]" if ":" in host else address.host
            return HostPort(f"{shown}:{free_port(host, wanted)}")
        return None

    def greeting(self, host: str) -> Dialogue:
        return dialogue.greeting(host)

    def converse(self, relay: Relay) -> Dialogue:
        return dialogue.converse(relay)

    def clock(self) -> Clock:
        try:
            state = kernel.clock()
        except OSError:
            return Clock(None)
        return Clock(state.synchronised, state.error)

    def memory(self) -> tuple[int, int]:
        memory = kernel.memory()
        return memory.total, memory.available

    def disk(self, folder: str) -> Disk:
        place = nearest(self._directory / folder)
        stat = os.statvfs(place)
        return Disk(
            stat.f_bavail * stat.f_frsize,
            stat.f_blocks * stat.f_frsize,
            file_system(place),
            place.is_dir() and os.access(place, os.W_OK | os.X_OK) and not stat.f_flag & os.ST_RDONLY,
            place.stat().st_dev != os.stat("/").st_dev,
            _missing_above(self._directory, folder),
        )

    def store_fault(self, folder: str) -> str:
        return places.refusal(self._directory, folder)

    def scanners(self, folder: str) -> Sequence[str]:
        return [
            f"{each.product} ({each.process}, pid {each.pid})" for each in scanners(nearest(self._directory / folder))
        ]

    def user_fault(self, name: str) -> str:
        try:
            user = pwd.getpwnam(name)
        except (KeyError, ValueError):
            return f"there is no user {name} on this system"
        if user.pw_uid == 0:
            return f"{name} may do everything on this machine, and whoever breaks into the server then may too"
        return ""

    def look_at(self, certificate: bytes, key: bytes) -> PairLook:
        from whimbrel.backends.tls import certificate_check

        with tempfile.TemporaryDirectory() as folder:
            chain, secret = Path(folder, "certificate.pem"), Path(folder, "key.pem")
            chain.write_bytes(certificate)
            secret.write_bytes(key)
            seen = certificate_check.look_at(str(chain), str(secret), "", "tls")
            # What it advises is for settings; here nothing is set yet.
            faults = tuple(each.text.partition("; set ")[0] for each in seen if each.refused)
            doubts = tuple(each.text for each in seen if not each.refused)
            if faults:
                return PairLook(faults=faults)
        return PairLook(*_names_and_end(certificate), doubts=doubts)


def _missing_above(directory: Path, folder: str) -> str:
    """Of a whole path; what is to be made below the installation is no surprise."""
    store = Path(os.path.normpath(directory / folder))
    missing = [each for each in store.parents if not each.exists() and not each.is_relative_to(directory)]
    return str(missing[-1]) if missing and not directory.is_relative_to(missing[-1]) else ""


def _outward() -> str:
    """The address from which this machine speaks to others; nothing is sent. Empty: there is none."""
    for family, target in ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1")):
        with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((target, 9))
            return str(probe.getsockname()[0])
    return ""


def _reverse(address: str) -> str:
    """The name of an address in the DNS; empty: it has none."""
    with contextlib.suppress(OSError):
        if address:
            return socket.gethostbyaddr(address)[0]
    return ""


def _names_and_end(certificate: bytes) -> tuple[tuple[str, ...], float]:
    from cryptography import x509

    first = x509.load_pem_x509_certificate(certificate)
    names: list[str] = []
    with contextlib.suppress(x509.ExtensionNotFound):
        subject = first.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = [name.lower() for name in subject.get_values_for_type(x509.DNSName)]
        names += [str(address) for address in subject.get_values_for_type(x509.IPAddress)]
    return tuple(names), first.not_valid_after_utc.timestamp()
