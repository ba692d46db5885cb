"""The machine of a set-up, as it is. On Linux most of it is read from /proc. The port Machine of `services/setup`."""

import contextlib
import os
import pwd
import smtplib
import socket
import ssl
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from whimbrel.app import store_mark
from whimbrel.app.holders import describe_holder, free_port
from whimbrel.core.values import HostPort
from whimbrel.services.setup.machine import Clock, Dialogue, Disk, PairLook, Relay

_ANSWERS_WITHIN: Final = 5.0
_DIALOGUE_WITHIN: Final = 15.0
_LONGEST: Final = 300
"""Characters of a line of a dialogue."""
_MOST_LINES: Final = 100
_SCANNERS: Final = {
    "clamonacc": "ClamAV on-access",
    "fanotifyd": "a fanotify scanner",
    "savscand": "Sophos",
    "sophos_threat_d": "Sophos",
    "ds_am": "Trend Micro",
    "wdavdaemon": "Microsoft Defender",
    "bdsecd": "Bitdefender",
    "oaeventd": "ESET",
    "esets_daemon": "ESET",
    "kesl": "Kaspersky",
    "falcon-sensor": "CrowdStrike",
    "sentinelone-age": "SentinelOne",
    "isecespd": "Trellix",
    "mfetpd": "Trellix",
    "fsoasd": "F-Secure",
}
"""Names of processes, as the kernel cuts them to 15 characters. proc(5)"""
_STA_UNSYNC: Final = 0x0040


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
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, 0))
            except OSError:
                return False
        return True

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
        return _dialogue(_Client, host, 25, lambda client: None)

    def converse(self, relay: Relay) -> Dialogue:
        context = ssl.create_default_context()
        if relay.tls in ("opportunistic", "required"):
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE

        def steps(client: smtplib.SMTP) -> None:
            client.ehlo_or_helo_if_needed()
            if relay.tls in ("required", "verified") or (relay.tls == "opportunistic" and client.has_extn("starttls")):
                client.starttls(context=context)
                client.ehlo()
            if relay.user:
                if relay.tls == "opportunistic" and not isinstance(client.sock, ssl.SSLSocket):
                    raise smtplib.SMTPException("it has no TLS, and a password is not sent without")
                client.login(relay.user, relay.password.reveal())

        if relay.tls == "implicit":
            return _dialogue(lambda lines: _TlsClient(lines, context), relay.host, relay.port, steps)
        return _dialogue(_Client, relay.host, relay.port, steps)

    def clock(self) -> Clock:
        import ctypes

        # struct timex: modes, offset, freq, maxerror, esterror, status ... adjtimex(2)
        words = (ctypes.c_long * 64)()
        try:
            state = ctypes.CDLL(None, use_errno=True).adjtimex(words)
        except (OSError, AttributeError):
            return Clock(None)
        status = ctypes.cast(ctypes.byref(words, 5 * ctypes.sizeof(ctypes.c_long)), ctypes.POINTER(ctypes.c_int))[0]
        return Clock(None) if state < 0 else Clock(not status & _STA_UNSYNC, words[3] / 1e6)

    def memory(self) -> tuple[int, int]:
        numbers = {}
        for line in Path("/proc/meminfo").read_text().splitlines():
            name, _, rest = line.partition(":")
            numbers[name] = int(rest.split()[0]) << 10
        total, available = numbers.get("MemTotal", 0), numbers.get("MemAvailable", 0)
        with contextlib.suppress(OSError, ValueError):  # A container has less.
            limit = int(Path("/sys/fs/cgroup/memory.max").read_text())
            used = int(Path("/sys/fs/cgroup/memory.current").read_text())
            total, available = min(total, limit), min(available, max(0, limit - used))
        return total, available

    def disk(self, folder: str) -> Disk:
        place = self._directory / folder
        while not place.exists():
            place = place.parent
        stat = os.statvfs(place)
        return Disk(
            stat.f_bavail * stat.f_frsize,
            stat.f_blocks * stat.f_frsize,
            _file_system(place),
            place.is_dir() and os.access(place, os.W_OK | os.X_OK) and not stat.f_flag & os.ST_RDONLY,
            place.stat().st_dev != os.stat("/").st_dev,
        )

    def store_fault(self, folder: str) -> str:
        return store_mark.claim(self._directory, self._directory / folder)

    def scanners(self) -> Sequence[str]:
        names = []
        for entry in os.scandir("/proc") if os.path.isdir("/proc") else ():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):
                    process = Path(entry.path, "comm").read_text().strip()
                    if process in _SCANNERS:
                        names.append(f"{_SCANNERS[process]} ({process}, pid {entry.name})")
        return names

    def user_fault(self, name: str) -> str:
        try:
            pwd.getpwnam(name)
        except KeyError:
            return f"there is no user {name} on this system"
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


def _file_system(place: Path) -> str:
    """The type of the file system, from the mount table. proc(5)"""
    device = place.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text().splitlines():
            fields, _, rest = line.partition(" - ")
            if fields.split()[2] == wanted:
                return rest.split()[0]
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


# Dialogues


class _Client(smtplib.SMTP):
    """Keeps what is said, but for secrets."""

    def __init__(self, kept: list[str]) -> None:
        self._kept, self._secret = kept, False
        super().__init__(timeout=_DIALOGUE_WITHIN)
        self.set_debuglevel(0)

    def putcmd(self, cmd: str, args: str = "") -> None:
        self._note(f"C: {cmd} {args}".rstrip())
        super().putcmd(cmd, args)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        for line in text.decode("utf-8", "replace").splitlines():
            self._note(f"S: {code} {line}")
        return code, text

    def login(self, user: str, password: str, *, initial_response_ok: bool = True) -> tuple[int, bytes]:
        self._secret = True
        try:
            return super().login(user, password, initial_response_ok=initial_response_ok)
        finally:
            self._secret = False

    def _note(self, line: str) -> None:
        if self._secret and line.startswith("C: "):
            words = line.split(" ")
            line = " ".join(words[:3]) + " ***" if words[1].upper() == "AUTH" else "C: ***"
        if len(self._kept) < _MOST_LINES:
            self._kept.append("".join(char if char.isprintable() else "?" for char in line[:_LONGEST]))


class _TlsClient(_Client):
    """With TLS from the first octet on. RFC 8314 3"""

    default_port = 465

    def __init__(self, kept: list[str], context: ssl.SSLContext) -> None:
        self._context = context
        super().__init__(kept)

    def _get_socket(self, host: str, port: int, timeout: float) -> socket.socket:
        plain = socket.create_connection((host, port), timeout)
        return self._context.wrap_socket(plain, server_hostname=host)


def _dialogue(
    make: Callable[[list[str]], smtplib.SMTP], host: str, port: int, steps: Callable[[smtplib.SMTP], object]
) -> Dialogue:
    lines: list[str] = []
    try:
        client = make(lines)
        try:
            code, text = client.connect(host, port)
            if code != 220:
                raise smtplib.SMTPConnectError(code, text)
            client._host = host  # type: ignore[attr-defined]  # `starttls` asks for the certificate of that name.
            steps(client)
            client.quit()
        finally:
            client.close()
    except smtplib.SMTPResponseException as error:
        reply: object = error.smtp_error
        said = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else str(reply)
        return Dialogue(tuple(lines), f"it answers {error.smtp_code} {' '.join(said.split())[:_LONGEST]}")
    except (OSError, ValueError) as error:
        return Dialogue(tuple(lines), _reason(error))
    return Dialogue(tuple(lines))


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "it does not answer in time"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not to be believed ({error.verify_message})"
    if isinstance(error, smtplib.SMTPException):
        return str(error).rstrip(".") or "it ended the connection"
    return (error.strerror if isinstance(error, OSError) else "") or str(error)
