"""A look at the TLS of another server: what is agreed on, its certificates, and which versions it takes.

Standards: RFC 3207, RFC 2595 and RFC 3501 6.2.1 (STARTTLS in SMTP, IMAP and POP3), RFC 9325 3.1.1 (versions).
"""

import time
from collections.abc import AsyncIterator
from typing import Final, Literal

from whimbrel.services.probing.ports import Chain, Dialled, Dialler, ProbeStep
from whimbrel.services.probing.wire import Talk, in_words

StartTls = Literal["auto", "none", "smtp", "imap", "pop3"]
VERSIONS: Final = ("1.3", "1.2", "1.1", "1.0")
OLD: Final = frozenset({"1.1", "1.0"})
"""Nobody should take them. RFC 8996"""
_BY_PORT: Final[dict[int, StartTls]] = {25: "smtp", 587: "smtp", 2525: "smtp", 143: "imap", 110: "pop3"}
_CANNOT: Final = ("no protocols available", "unsupported protocol version")
"""What OpenSSL says if this very machine does not know a version."""
_LINES: Final = 100


async def look_at_tls(
    dialler: Dialler, host: str, port: int, hostname: str, chain: Chain, start_tls: StartTls = "auto"
) -> AsyncIterator[ProbeStep]:
    """First with all versions, then with each alone."""
    way = _BY_PORT.get(port, "none") if start_tls == "auto" else start_tls
    began = time.monotonic()
    where = f"{host}:{port}"
    try:
        dialled, talk = await _secured(dialler, host, port, hostname, way)
    except OSError as error:
        text = f"{where}: {in_words(error)}"
        yield ProbeStep("connect", text, time.monotonic() - began, {}, (f"{text}.",))
        return
    info = talk.link.tls
    assert info is not None
    how = f" after STARTTLS ({way})" if way != "none" else ""
    facts = {"version": info.version, "cipher": info.cipher, "bits": str(info.bits)}
    text = f"{talk.link.peer}: {info.version}, {info.cipher}, {info.bits} bits{how}"
    yield ProbeStep("tls", text, time.monotonic() - began, facts)
    await talk.close()
    for step in await chain(dialled, time.monotonic() - began):
        yield step
    for version in VERSIONS:
        yield await _version(dialler, host, port, hostname, way, version, began)


async def _version(
    dialler: Dialler, host: str, port: int, hostname: str, way: StartTls, version: str, began: float
) -> ProbeStep:
    try:
        _, talk = await _secured(dialler, host, port, hostname, way, version)
    except OSError as error:
        why = in_words(error)
        said = "this machine cannot ask for it" if any(each in why for each in _CANNOT) else f"no ({why})"
        return ProbeStep("tls", f"TLS {version}: {said}", time.monotonic() - began, {"version": version, "taken": "no"})
    info = talk.link.tls
    await talk.close()
    cipher = info.cipher if info is not None else ""
    facts = {"version": version, "taken": "yes", "cipher": cipher}
    problems = (f"TLS {version} is taken, and is not safe any more.",) if version in OLD else ()
    return ProbeStep("tls", f"TLS {version}: yes, {cipher}", time.monotonic() - began, facts, problems)


async def _secured(
    dialler: Dialler, host: str, port: int, hostname: str, way: StartTls, version: str = ""
) -> tuple[Dialled, Talk]:
    """A connection with TLS. OSError."""
    dialled = await dialler.open(host, port, version=version)
    talk = Talk(dialled.link)
    try:
        await _ask_for_tls(talk, way, hostname)
        await talk.start_tls()
    except BaseException:
        await talk.close()
        raise
    return dialled, talk


async def _ask_for_tls(talk: Talk, way: StartTls, hostname: str) -> None:
    """The clear beginning of a dialogue, until TLS may begin. OSError if it is refused."""
    if way == "smtp":
        await _smtp_answer(talk)
        await talk.write(f"EHLO {hostname}")
        await _smtp_answer(talk)
        await talk.write("STARTTLS")
        await _smtp_answer(talk)
    elif way == "imap":
        await talk.line()
        await talk.write("a STARTTLS")
        for _ in range(_LINES):
            line = await talk.line()
            if line.lower().startswith("a "):
                _demand(line.lower().startswith("a ok"), line)
                return
        raise OSError("STARTTLS was not answered")
    elif way == "pop3":
        await talk.line()
        await talk.write("STLS")
        line = await talk.line()
        _demand(line.startswith("+OK"), line)


async def _smtp_answer(talk: Talk) -> None:
    for _ in range(_LINES):
        line = await talk.line()
        if line[3:4] != "-":
            _demand(line.startswith("2"), line)
            return
    raise OSError("the answer does not end")


def _demand(accepted: bool, line: str) -> None:
    if not accepted:
        raise OSError(f"the server answered: {line}")
