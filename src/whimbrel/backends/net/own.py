"""Which addresses are this machine's."""

import socket


def own_address(ip: str) -> bool:
    """An address of this machine can be bound."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((ip, 0))
        except OSError:
            return False
    return True
