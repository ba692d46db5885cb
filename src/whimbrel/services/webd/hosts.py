"""By which names this server is called, and by which it is not.

A page of a stranger whose name is made to lead here (DNS rebinding) is, for its browser, of one origin with the
console. The name in the request tells it apart: it is none of ours.
"""

import ipaddress
import re
import socket
from collections.abc import Callable
from typing import Final

from whimbrel.core.config import ConfigStore
from whimbrel.core.net import OwnCertificates
from whimbrel.flow.settings import SmtpSettings

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(:[0-9]{1,5})?\Z")


class Hosts:
    def __init__(
        self, config: ConfigStore, certificates: OwnCertificates, further: Callable[[], tuple[str, ...]]
    ) -> None:
        """`further` are the names that the settings give besides."""
        self._config, self._certificates, self._further = config, certificates, further
        self._machine = socket.gethostname().lower()

    def ours(self, authority: str) -> bool:
        """Whether `host` or `host:port` is a name of this server, or an IP address: nobody rebinds those."""
        name = host_of(authority)
        if not name:
            return False
        if is_address(name) or name == "localhost" or name.endswith(".localhost"):
            return True
        names = {self._config.section(SmtpSettings).hostname.lower(), self._machine, *map(str.lower, self._further())}
        names |= set(self._certificates.names())
        return name in names or f"*.{name.partition('.')[2]}" in names


def host_of(authority: str) -> str:
    """The host in lower case, without port and brackets; empty if it is none."""
    match = _HOST.match(authority)
    return match[1].strip("[]").lower().rstrip(".") if match else ""


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
