"""The form of a record: `[24/Nov/2026 17:57:14] Title: Key: value, Key: value`.

Local time, English months whatever the locale. Nothing that came from outside can end a line, hide text or pretend to
be a field of ours: control and format characters are escaped, and a value that holds `Sender-Host: ` loses that colon.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from whimbrel.backends.logs.events import BY_LEVEL, BY_NAME, EVENTS
from whimbrel.backends.logs.stamp import LENGTH, prefix
from whimbrel.core.log import Value

MAX_VALUE = 1000
MAX_RECORD = 8000
"""Characters."""
_LABELS: Final = {
    "from_": "From", "queue_id": "Queue-ID", "session_id": "Session-ID", "uid": "UID", "tls": "TLS", "ip": "IP",
    "message_id": "Msg-Id",
    "remote": "Remote-Host"}  # fmt: skip
_PATHS: Final = frozenset({"from_", "to", "recipient", "mailbox"})
_HIDDEN: Final = frozenset({"session_id", "service", "sender_host"})
"""Bound to every record of a session; shown by a declared event only if it names them."""


@dataclass(frozen=True, slots=True)
class _Plan:
    log: str
    title: str
    fields: tuple[tuple[str, str], ...]
    """(field, label)"""
    declared: frozenset[str]
    by_service: bool
    hidden: frozenset[str]
    received: bool = False
    """Tells of TLS only whether there was any, as tools for mail logs expect."""


class RecordForm:
    """Writes records as lines. Keeps the form of each event and the text of the current second."""

    def __init__(self) -> None:
        self._plans: dict[tuple[str, str], _Plan] = {}
        self._second = -1
        self._prefix = ""

    def line(self, at: float, level: str, event: str, values: Mapping[str, Value]) -> tuple[str, str]:
        """The log that the record belongs to, and its line."""
        plan = self._plans.get((event, level)) or self._plan(event, level)
        second = int(at)
        if second != self._second:
            self._second, self._prefix = second, prefix(second)
        parts = []
        for field, label in plan.fields:
            value = values.get(field)
            if field in _PATHS:
                if value is not None:
                    parts.append(f"{label}: {_path(str(value), several=field == 'to')}")
            elif field == "tls" and plan.received:
                parts.append(f"SSL: {'yes' if value else 'no'}")
            elif value is True or value is False:
                parts.append(f"{label}: {'yes' if value else 'no'}")
            elif field == "service":
                if value:
                    parts.append(f"{label}: {_service(str(value))}")
            elif value is not None and value != "":
                parts.append(f"{label}: {_text(value)}")
        for field, value in values.items():
            if field not in plan.declared and field not in plan.hidden and value is not None and value != "":
                parts.append(f"{label_of(field)}: {_text(value)}")
        title = plan.title
        if plan.by_service:
            title = title.replace("{service}", _service(str(values.get("service", ""))))
        line = f"{self._prefix}{title}: {', '.join(parts)}" if parts else f"{self._prefix}{title}"
        if len(line) > MAX_RECORD:
            line = line[:MAX_RECORD] + "…"
        return plan.log, line

    def _plan(self, event: str, level: str) -> _Plan:
        declared = BY_NAME.get(event)
        if declared is None:
            title = clean(re.sub(r"[._-]+", " ", event).strip().capitalize()) or "Event"
            plan = _Plan(BY_LEVEL.get(level, "warning"), title, (), frozenset(), False, frozenset())
        else:
            fields = tuple((field, label_of(field)) for field in declared.fields)
            by_service = "{service}" in declared.title
            hidden = _HIDDEN if declared.log in ("mail", "security") else frozenset({"service"} if by_service else ())
            plan = _Plan(declared.log, declared.title, fields, frozenset(declared.fields), by_service, hidden,
                         event == "message.received")  # fmt: skip
        if len(self._plans) < 1000:  # Names are ours, yet no table grows without end.
            self._plans[event, level] = plan
        return plan


def label_of(field: str) -> str:
    """`sender_host` -> `Sender-Host`."""
    label = _LABELS.get(field)
    return label if label is not None else "-".join(word.capitalize() for word in field.strip("_").split("_"))


def clean(text: str) -> str:
    """`text` on one line, bounded, and unable to pass for more than the value it is."""
    if len(text) > MAX_VALUE:
        text = text[:MAX_VALUE] + "…"
    if not text.isprintable():
        text = "".join([char if char.isprintable() else _escaped(char) for char in text])
    if ": " in text:
        text = _FIELD.sub(r"\1\\x3a", text)
    return text


def _escaped(char: str) -> str:
    code = ord(char)
    if code < 256:
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(char) or f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _text(value: Value) -> str:
    if isinstance(value, str):
        return clean(value)
    if value is True or value is False:
        return "yes" if value else "no"
    return f"{value:.3f}" if isinstance(value, float) else clean(str(value))


def _path(value: str, *, several: bool) -> str:
    if value.startswith("<"):
        return clean(value)
    if not several:  # A comma may stand in a quoted local part.
        return f"<{clean(value)}>"
    return ", ".join([_bracketed(address) for address in value.split(", ")])


def _bracketed(address: str) -> str:
    address, _, more = address.partition(" and ")  # `a@x.test, b@x.test and 7 more`
    return f"<{clean(address)}> and {clean(more)}" if more else f"<{clean(address)}>"


def _service(name: str) -> str:
    return clean(name).upper()


_OURS: Final = sorted({label_of(field) for event in EVENTS for field in event.fields} | {"SSL"})
_FIELD: Final = re.compile(rf"\b((?i:sender-host)|{'|'.join(_OURS)}):(?= )")
"""The host in any case: tools that ban hosts need not tell the cases apart."""


def parts(text: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    """The title of a line and its fields, by labels that we write: what came from outside cannot pass for one."""
    title, colon, rest = text[LENGTH:].partition(": ")
    if not colon:
        return title, ()
    pieces = _LABEL.split(f", {rest}")
    return title, tuple(zip(pieces[1::2], pieces[2::2], strict=True))


_LABEL: Final = re.compile(r", ([A-Z][A-Za-z]{0,30}(?:-[A-Z][A-Za-z]{0,30}){0,4}): ")
