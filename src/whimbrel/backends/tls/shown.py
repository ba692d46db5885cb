"""What a certificate file says to a client, read by the standard library alone: for which names, and until when.

A server looks at its certificate every day. `cryptography` would read it as well, and then keep 12 MB of memory for the
life of the process; here the file is shown to ourselves in a handshake that stays in memory.
"""

import ipaddress
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

_STEPS: Final = 10
"""Turns of a handshake in memory; four are needed."""


def serves(certificate: Path, key: Path, names: Sequence[str], until: float) -> bool:
    """Is the first certificate of the file usable with the key, for all of `names` (domains and addresses), and still
    good at `until` (seconds)?"""
    try:
        present, end = _shown(certificate, key)
    except (OSError, ValueError):  # ssl.SSLError is an OSError.
        return False
    return {_name(name) for name in names} <= present and end > until


def _shown(certificate: Path, key: Path) -> tuple[set[str], float]:
    """Names, and the end in seconds."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.load_verify_locations(certificate)  # Signed by itself, or with its authority's certificate beside it.
    there, back = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(back, there, server_hostname=None)
    theirs = server.wrap_bio(there, back, server_side=True)
    for _ in range(_STEPS):
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
            if end is ours:
                peer: dict[str, Any] = ours.getpeercert() or {}
                names = {_name(value) for _, value in peer.get("subjectAltName", ())}
                return names, float(ssl.cert_time_to_seconds(peer["notAfter"]))
    raise ValueError(f"{certificate} cannot be shown")


def _name(text: str) -> str:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return text.lower()
