"""The options of an envelope as columns of `entry`: the one place that knows which stands where.

What format 1.4 knew has columns of its own. All that came since is in the column `options`, a JSON object of what is
set, so that a further option changes no table; a release that does not know one leaves it alone.
"""

import json
from collections.abc import Sequence
from typing import Final

from whimbrel.core.envelope import PLAIN, MailOptions, Ret
from whimbrel.core.mailbox import AccountId

COLUMNS: Final = "envid, ret_full, ret_hdrs, utf8, body_8bit, require_tls, options"
NUMBER: Final = COLUMNS.count(",") + 1

Value = int | float | str | bytes | None

_NOTHING: Final = ("", 0, 0, 0, 0, 0, "")


def values(options: MailOptions) -> tuple[Value, ...]:
    """In the order of `COLUMNS`. SIZE is not among them."""
    if options is PLAIN:
        return _NOTHING
    later: dict[str, float | str] = {}
    if options.hold_until:
        later["hold-until"] = options.hold_until
    if options.verp:
        later["verp"] = options.verp
    if options.account:
        later["account"] = options.account
    if options.findings:
        later["findings"] = options.findings
    if options.seven_bit:
        later["seven-bit"] = options.seven_bit
    if options.own:
        later["own"] = options.own
    return (
        options.envid,
        options.ret == "FULL",
        options.ret == "HDRS",
        options.utf8,
        options.body_8bit,
        options.require_tls,
        json.dumps(later) if later else "",
    )


def read(row: Sequence[object]) -> MailOptions:
    """Of a row of `COLUMNS`."""
    envid, full, headers, utf8, body_8bit, require_tls, text = row
    if not (envid or full or headers or utf8 or body_8bit or require_tls or text):
        return PLAIN
    later = json.loads(str(text)) if text else {}
    ret: Ret = "FULL" if full else "HDRS" if headers else ""
    return MailOptions(
        utf8=bool(utf8),
        body_8bit=bool(body_8bit),
        ret=ret,
        envid=str(envid),
        require_tls=bool(require_tls),
        hold_until=float(later.get("hold-until", 0.0)),
        verp=str(later.get("verp", "")),
        seven_bit=str(later.get("seven-bit", "")),
        own=bool(later.get("own", False)),
        account=AccountId(str(later.get("account", ""))),
        findings=str(later.get("findings", "")),
    )
