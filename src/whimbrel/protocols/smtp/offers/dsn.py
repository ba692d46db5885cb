"""DSN: what the client wants to be told, about what, and under which names.

Standards: RFC 3461 4.1 (NOTIFY), 4.2 (ORCPT), 4.3 (RET), 4.4 (ENVID), RFC 6533 3 and 4 (the address type utf-8)
"""

import re
from dataclasses import replace
from typing import Final

from whimbrel.core.envelope import Notify, Ret
from whimbrel.protocols.smtp.offers.extension import Extension
from whimbrel.protocols.smtp.server_events import Mail, Rcpt
from whimbrel.protocols.smtp.state import Refusal, Terms
from whimbrel.protocols.smtp.xtext import from_utf8_xtext, from_xtext

MAX_ENVID: Final = 100
MAX_ORCPT: Final = 500
"""RFC 3461 4.2, 4.4: octets as they are sent, the address type included."""

_TYPE: Final = re.compile(r"[A-Za-z0-9-]{1,40}\Z")
_NEVER: Final = frozenset({Notify.NEVER})
_RET: Final[dict[str, Ret]] = {"FULL": "FULL", "HDRS": "HDRS"}


def _ret(mail: Mail, value: str | None, _terms: Terms) -> None:
    kind = _RET.get((value or "").upper())
    if kind is None:
        raise Refusal(501, "5.5.4", "RET is FULL or HDRS")
    mail.options = replace(mail.options, ret=kind)


def _envid(mail: Mail, value: str | None, _terms: Terms) -> None:
    if not value or len(value) > MAX_ENVID:
        raise Refusal(501, "5.5.4", f"ENVID has 1 to {MAX_ENVID} characters")
    try:
        mail.options = replace(mail.options, envid=from_xtext(value))
    except ValueError:
        raise Refusal(501, "5.5.4", "ENVID is printable ASCII in xtext") from None


def _notify(rcpt: Rcpt, value: str | None, _terms: Terms) -> None:
    try:
        wishes = [Notify(word) for word in (value or "").upper().split(",")]
    except ValueError:
        raise Refusal(501, "5.5.4", "NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY") from None
    rcpt.notify = frozenset(wishes)
    if len(rcpt.notify) < len(wishes) or (Notify.NEVER in rcpt.notify and rcpt.notify != _NEVER):
        raise Refusal(501, "5.5.4", "NOTIFY names each wish once, and NEVER stands alone")


def _orcpt(rcpt: Rcpt, value: str | None, _terms: Terms) -> None:
    kind, semicolon, address = (value or "").partition(";")
    if not semicolon or not address or not _TYPE.match(kind) or len((value or "").encode()) > MAX_ORCPT:
        raise Refusal(501, "5.5.4", f"ORCPT is type;address of at most {MAX_ORCPT} octets")
    kind = kind.lower()
    try:
        plain = from_utf8_xtext(address) if kind == "utf-8" else from_xtext(address)
    except ValueError:
        raise Refusal(501, "5.5.4", "The address of ORCPT is not xtext") from None
    rcpt.orcpt = f"{kind};{plain}"


DSN = Extension(
    offer=lambda terms: "DSN",
    mail={"RET": _ret, "ENVID": _envid},
    rcpt={"NOTIFY": _notify, "ORCPT": _orcpt},
)
