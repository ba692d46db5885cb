"""A socket's address as host and port, IPv4 always in its own form."""

from typing import Final

NOWHERE: Final = ("", 0)
"""Of a Unix socket, and before there is a connection."""


def host_and_port(name: object) -> tuple[str, int]:
    """Of what the socket calls itself or its peer."""
    if isinstance(name, tuple) and len(name) >= 2:
        host = str(name[0])
        return host.removeprefix("::ffff:") if "." in host else host, int(name[1])
    return NOWHERE
