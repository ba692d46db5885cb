"""Which events of the log are counted as what: the stream of events tells all that becomes of mail, so it is counted
where it is written, and the way of a message knows nothing of it.

A rule is called with the fields that all records of a log carry, and those of the record. It runs for each such record,
in the process that writes it.
"""

from collections.abc import Callable, Mapping
from typing import Final

from whimbrel.core.log import Value
from whimbrel.core.stats import OTHER, Tally

Fields = Mapping[str, Value]
Rule = Callable[[Fields, Fields], None]

_BY_STATUS: Final = (
    ("5.1.", "unknown-recipient"),
    ("5.2.2", "mailbox-full"), ("4.2.2", "mailbox-full"),
    ("5.2.3", "too-large"), ("5.3.4", "too-large"),
    ("4.3.1", "no-room"),
    ("5.7.0", "sign-in"), ("5.7.8", "sign-in"),
    ("5.7.", "filtered"),
    ("5.5.", "syntax"), ("5.6.", "syntax"),
    ("4.", "temporary"),
)  # fmt: skip
"""Reasons by the beginning of an enhanced status code. RFC 3463"""


def reason_of(status: str) -> str:
    """Returns the reason of a refusal from its reply, such as `550 5.1.1 Unknown user`."""
    for word in status.split(" ", 2)[:2]:
        if word.count(".") == 2:
            return next((reason for code, reason in _BY_STATUS if word.startswith(code)), OTHER)
    return "temporary" if status.startswith("4") else OTHER


def rules(tally: Tally) -> Mapping[str, Rule]:
    """Returns the rule of each event that is counted."""
    add = tally.add

    def service(bound: Fields, fields: Fields) -> str:
        return str(fields.get("service") or bound.get("service") or OTHER)

    def received(bound: Fields, fields: Fields) -> None:
        name = service(bound, fields)
        if name == "queue":
            return  # Judged late: it was counted when it came.
        size = int(fields.get("size") or 0)
        add("messages-in", name)
        add("octets-received", name, size)
        tally.noted(str(fields.get("user") or fields.get("from_") or ""), size)

    def sent(_bound: Fields, fields: Fields) -> None:
        result = str(fields["result"])
        if result != "delivered":
            add("deliveries", result)
            return
        mailbox = fields.get("mailbox")
        if mailbox:
            add("deliveries", "delivered-local")
            delay = fields.get("delay")
            if isinstance(delay, float):
                tally.took(delay)
        else:
            add("deliveries", "delivered-remote")
        tally.reached(str(mailbox or fields["recipient"]))

    def refused(_bound: Fields, fields: Fields) -> None:
        add("refused", reason_of(str(fields.get("status") or "")))

    def by_service(family: str) -> Rule:
        def rule(bound: Fields, fields: Fields) -> None:
            add(family, service(bound, fields))

        return rule

    return {
        "message.received": received,
        "delivery.sent": sent,
        "message.refused": refused,
        "rcpt.refused": refused,
        "relay.denied": lambda _bound, _fields: add("refused", "relay-denied"),
        "report.sent": lambda _bound, fields: add("reports", str(fields["result"])),
        "signin.ok": by_service("sign-ins"),
        "signin.failed": by_service("sign-ins-failed"),
        "signin.locked": by_service("sign-ins-locked"),
        "connection.limit": by_service("connections-refused"),
        "connection.refused": by_service("connections-refused"),
    }
