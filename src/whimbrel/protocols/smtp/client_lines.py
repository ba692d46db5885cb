"""The lines MAIL and RCPT as a client writes them: only parameters that the server knows.

Standards: RFC 1870 6 (SIZE), RFC 6152 (BODY), RFC 6531 3.4 (SMTPUTF8), RFC 3461 4 (RET, ENVID, NOTIFY, ORCPT, xtext),
RFC 6533 3 (utf-8-addr-xtext), RFC 8689 3 (REQUIRETLS).
"""

import re

from whimbrel.core.address import ReversePath, path_text
from whimbrel.core.envelope import MailOptions, Notify, Recipient
from whimbrel.protocols.smtp.extensions import Extensions

_NOT_XCHAR = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x7e]")
_NOT_QCHAR = re.compile(r"[^\x21-\x2a\x2c-\x3c\x3e-\x5b\x5d-\x7e]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_ORDER = (Notify.SUCCESS, Notify.FAILURE, Notify.DELAY)


def mail_line(sender: ReversePath, options: MailOptions, known: Extensions, *, utf8: bool) -> bytes:
    """`utf8`: the transaction needs SMTPUTF8."""
    line = f"MAIL FROM:{path_text(sender)}"
    words = known.keywords
    if options.size and "SIZE" in words:
        line += f" SIZE={options.size}"
    if (options.body_8bit or utf8) and "8BITMIME" in words:
        line += " BODY=8BITMIME"
    if utf8:
        line += " SMTPUTF8"
    if options.require_tls and "REQUIRETLS" in words:  # Where it must be, the client has looked already.
        line += " REQUIRETLS"
    if "DSN" in words:
        if options.ret:
            line += f" RET={options.ret}"
        if options.envid:
            line += f" ENVID={xtext(options.envid)}"
    return f"{line}\r\n".encode()


def rcpt_line(recipient: Recipient, known: Extensions) -> bytes:
    if not (recipient.notify or recipient.orcpt) or "DSN" not in known.keywords:
        return f"RCPT TO:<{recipient.address}>\r\n".encode()
    line = f"RCPT TO:<{recipient.address}>"
    if recipient.notify:
        never = Notify.NEVER in recipient.notify
        line += " NOTIFY=" + ("NEVER" if never else ",".join(n.value for n in _ORDER if n in recipient.notify))
    if recipient.orcpt:
        line += f" ORCPT={_original(recipient.orcpt)}"
    return f"{line}\r\n".encode()


def xtext(text: str) -> str:
    """RFC 3461 4: what is no xchar becomes +XX. Nothing that `text` holds can end the line or begin another word."""
    return _NOT_XCHAR.sub(lambda match: "".join(f"+{octet:02X}" for octet in match[0].encode()), text)


def _original(orcpt: str) -> str:
    """`type;address` with the address encoded as its type has it."""
    kind, _, address = orcpt.partition(";")
    if kind.lower() == "utf-8":
        # RFC 6533 3: this form goes through servers without SMTPUTF8 too.
        address = _NOT_QCHAR.sub(lambda match: f"\\x{{{ord(match[0]):02X}}}", _CONTROL.sub("?", address))
        return f"{xtext(kind)};{address}"
    return f"{xtext(kind)};{xtext(address)}"
