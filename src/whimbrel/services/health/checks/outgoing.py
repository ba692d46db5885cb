"""Does port 25 go out? Providers often close it. A server of the administrator's own is called, never another's."""

import asyncio
from typing import Final

from whimbrel.core.net import TlsMode, TlsPolicy
from whimbrel.core.values import HostPort
from whimbrel.services.health.check import Check, HealthContext, Level, Verdict, ok, unknown
from whimbrel.services.health.settings import HealthSettings

ANSWER: Final = 1.8
"""Seconds in all."""
_PORT: Final = 25


async def _port_25(ctx: HealthContext) -> Verdict:
    text = ctx.config.section(HealthSettings).port_25_host
    if not text:
        return unknown(
            "Whether port 25 goes out is not known, since no server is set that may be called for it.",
            "Name a mail server of yours elsewhere.",
            "whimbrel config set health/port-25-host mx.example.net",
        )
    if ctx.connector is None:
        return unknown("No server runs here, and only a running server calls others.", "", "whimbrel serve")
    host, port = _place(text)
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(ANSWER):
            link = await ctx.connector.open(host, port, "", TlsPolicy(TlsMode.NONE))
            try:
                banner = await link.read()
            finally:
                await link.close()
    except TimeoutError:
        return _closed(f"{where} did not answer within {ANSWER:g} seconds")
    except OSError as error:
        return _closed(f"{where} cannot be reached ({error})")
    if not banner.startswith(b"220"):
        said = banner[:100].decode("ascii", "replace").strip()
        return Verdict(Level.WARNING, f"{where} answers, but with no greeting of a mail server: {said or 'nothing'}.")
    return ok(f"{where} answers: port {port} goes out.")


def _place(text: str) -> tuple[str, int]:
    """`mx.example.net`, `192.0.2.1:2525`, `[2001:db8::1]:25`."""
    if text.count(":") == 1 or "]:" in text:
        try:
            place = HostPort(text)
        except ValueError:
            return text, _PORT
        return place.host, place.port
    return text.strip("[]"), _PORT


def _closed(what: str) -> Verdict:
    return Verdict(
        Level.ERROR,
        f"{what}: mail to other servers cannot be sent if that is so for all.",
        "Ask your provider to open port 25 for outgoing connections, or send through a relay.",
        "whimbrel config search relay",
    )


PORT_25: Final = Check(
    "port-25", "Outgoing port 25", _port_25, "/health?setting=health/port-25-host", "whimbrel config list health"
)
