"""Where a socket of a service is bound."""

from typing import NamedTuple


class Place(NamedTuple):
    """An address as the settings write it, and whether the socket there is for datagrams (UDP) or for connections."""

    host: str
    port: int
    datagrams: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}{'/udp' if self.datagrams else ''}"
