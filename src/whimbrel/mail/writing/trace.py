"""Fields that tell a message's way: Received, Return-Path, Delivered-To.

What comes from a peer is cleaned before it is written: nothing can end a field or open a comment.

Standards: RFC 5321 4.4 (trace), 4.1.3 (address literals), RFC 3848 (with), RFC 6531 4.3 (UTF8...), RFC 8314 4.3 (tls)
"""

import re
from functools import lru_cache

from whimbrel.core.address import Address, ReversePath
from whimbrel.core.intake import Client
from whimbrel.mail.writing.compose import LINE, clean, token_field

_NOT_HOST = re.compile(r"[^A-Za-z0-9._:\[\]-]")
_NOT_ID = re.compile(r"[^A-Za-z0-9._-]")
_MAX_HOST = 255
_FIELD = re.compile(rb"[!-9;-~]+[ \t]*:")
_MBOX = re.compile(rb">*From ")


def with_keyword(*, lmtp: bool = False, extended: bool = True, tls: bool = False, signed_in: bool = False,
                 utf8: bool = False) -> str:  # fmt: skip
    """RFC 3848 1: SMTP, ESMTP, ESMTPS, ESMTPA, ESMTPSA, LMTP...; RFC 6531 4.3: UTF8SMTP... for SMTPUTF8 mail."""
    ends = ("S" if tls else "") + ("A" if signed_in else "")
    if lmtp:
        return f"UTF8LMTP{ends}" if utf8 else f"LMTP{ends}"
    if utf8:
        return f"UTF8SMTP{ends}"
    return f"ESMTP{ends}" if extended else "SMTP"


def received(client: Client, *, by: str, queue_id: str, date: str, recipient: Address | None = None,
             utf8: bool = False) -> bytes:  # fmt: skip
    """The Received field we put before a message. `recipient` only where telling it betrays no other recipient (the
    transaction has this one alone). `utf8`: the transaction used SMTPUTF8."""
    protocol = _NOT_ID.sub("", client.protocol)
    if utf8 and protocol and not protocol.startswith("UTF8"):
        protocol = "UTF8" + protocol.removeprefix("E")
    parts = [_from(client.helo, client.host, client.ip), _by(by, protocol, queue_id)]
    if client.tls:
        parts.append(_tls(client.tls.version, client.tls.cipher, client.tls.bits))
    tail = []
    if recipient is not None and (utf8 or recipient.ascii):
        tail.append(f"for <{clean(str(recipient))}>")
    if client.tls and client.tls.cipher.startswith("TLS_"):  # RFC 8314 4.3 wants the registered name.
        tail.append(f"tls {_NOT_ID.sub('', client.tls.cipher)}")
    if tail:
        parts.append(" ".join(tail))
    stamp = clean(date)
    if len(parts[-1]) + len(stamp) + 3 <= LINE:
        parts[-1] = f"{parts[-1]}; {stamp}"
    else:
        parts[-1] += ";"
        parts.append(stamp)
    return ("Received: " + "\r\n\t".join(parts) + "\r\n").encode("utf-8", "replace")


@lru_cache(1024)
def _from(helo: str, host: str, ip: str) -> str:
    name = _NOT_HOST.sub("?", helo[:_MAX_HOST]) or _literal(ip) or "unknown"
    known = _NOT_HOST.sub("?", host[:_MAX_HOST])
    address = _literal(ip)
    inside = f"{known} {address}".strip()
    line = f"from {name} ({inside})" if inside else f"from {name}"
    return line if len(line) < LINE - 10 else line.replace(" (", "\r\n\t(", 1)


def _by(by: str, protocol: str, queue_id: str) -> str:
    kind = f" with {protocol}" if protocol else ""
    return f"by {_NOT_HOST.sub('?', by)} (Whimbrel){kind} id {_NOT_ID.sub('', queue_id)}"


@lru_cache(256)
def _tls(version: str, cipher: str, bits: int) -> str:
    return f"(version={_NOT_ID.sub('', version)} cipher={_NOT_ID.sub('', cipher)} bits={bits})"


def _literal(ip: str) -> str:
    ip = _NOT_HOST.sub("", ip.partition("%")[0])
    if not ip:
        return ""
    return f"[IPv6:{ip}]" if ":" in ip else f"[{ip}]"


def joint(head: bytes) -> bytes:
    """What stands between fields we put before a message and its first bytes, `head`. RFC 5322 2.2, 3.5: a line that is
    no field begins the body, and would without an empty line be hidden in the header, or go on with what we say."""
    if not head or head.startswith(b"\r\n") or _FIELD.match(head):
        return b""
    # Quirk (scripts that send an mbox as it is): the separator of that format becomes a field, as Postfix names it.
    return b"Mailbox-Line: " if _MBOX.match(head) else b"\r\n"


def return_path(path: ReversePath) -> bytes:
    """RFC 5321 4.4: made at final delivery."""
    return token_field("Return-Path", f"<{path}>" if path else "<>")


def delivered_to(address: Address) -> bytes:
    """The mailbox it was delivered to; finding it again means a loop."""
    return token_field("Delivered-To", str(address))
