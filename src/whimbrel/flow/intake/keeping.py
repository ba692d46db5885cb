"""Findings as text: those from CONNECT to RCPT are kept with a message whose content is judged by the queue.

The text is JSON and stands in the options of the queue's entry. Facts and changes are frozen dataclasses of plain
values; what another release wrote and this one does not know is passed over.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any, Final

from whimbrel.core.errors import MailError
from whimbrel.flow.assessment import NOTHING, Action, Assessment, Fact, Finding, Symbol
from whimbrel.flow.transaction import Transaction
from whimbrel.mail.writing.changes import AddField, AddText, MarkSubject, RemoveExactly, RemoveFields, TakeOut

MOST: Final = 64 * 1024
"""Characters of the text; beyond, only points and actions are kept."""
_CHANGES: Final[Mapping[str, type[Any]]] = {
    kind.__name__: kind for kind in (AddField, RemoveFields, RemoveExactly, MarkSubject, TakeOut, AddText)
}
_ALL, _EACH = "all", "each"


def kept(tx: Transaction, *, without: frozenset[str]) -> str:
    """What is known of the message, and of each of its recipients, but for the filters `without`, which judge it again;
    empty if nothing is."""
    record: dict[str, Any] = {}
    if findings := [record for record in _assessment(tx.known) if record["filter"] not in without]:
        record[_ALL] = findings
    if tx.differs:
        record[_EACH] = {
            to.recipient.address.key: _assessment(to.known, above=tx.known)
            for to in tx.addressees
            if to.known is not None
        }
    if not record:
        return ""
    text = json.dumps(record)
    if len(text) <= MOST:
        return text
    for findings in (record.get(_ALL, []), *record.get(_EACH, {}).values()):
        for finding in findings:
            finding.pop("facts", None)
            finding.pop("changes", None)
            finding["symbols"] = [[name[:60], score, ""] for name, score, _ in finding.get("symbols", ())][:50]
    return json.dumps(record)


def restore(tx: Transaction, text: str, facts: Iterable[type[Fact]]) -> None:
    """Into a transaction whose addressees are known; `facts` are the kinds there are."""
    if not text:
        return
    try:
        record = json.loads(text)
        kinds = {kind.__name__: kind for kind in facts}
        before = Assessment()
        before.own = _findings(record.get(_ALL, ()), kinds)
        if before.own:
            tx.known.parent = before
        each = record.get(_EACH, {})
        for to in tx.addressees:
            own = _findings(each.get(to.recipient.address.key, ()), kinds)
            if own:
                to.known = Assessment(tx.known)
                to.known.own, tx.differs = own, True
    except (ValueError, TypeError, AttributeError, KeyError):
        return  # Of another release: the message is judged by its content.


def _assessment(known: Assessment, above: Assessment | None = None) -> list[dict[str, Any]]:
    """All findings of the chain below `above`."""
    records: list[dict[str, Any]] = []
    step: Assessment | None = known
    while step is not None and step is not above:
        records = [_record(name, finding) for name, finding in step.own.items()] + records
        step = step.parent
    return records


def _record(name: str, finding: Finding) -> dict[str, Any]:
    record: dict[str, Any] = {"filter": name}
    if finding.symbols:
        record["symbols"] = [list(symbol) for symbol in finding.symbols]
    if finding.action:
        record["action"] = finding.action.name
    if finding.waives:
        record["waives"] = True
    if finding.unheard is not NOTHING.unheard:
        record["unheard"] = finding.unheard.name
    if finding.reply is not None:
        record["reply"] = [finding.reply.code, finding.reply.enhanced, finding.reply.text]
    if finding.facts:
        record["facts"] = [_value(fact) for fact in finding.facts]
    if finding.changes:
        record["changes"] = [_value(change) for change in finding.changes]
    return record


def _value(value: Any) -> list[Any]:
    """The name of its class, and its fields; octets as characters."""
    return [type(value).__name__, {field.name: _plain(getattr(value, field.name)) for field in fields(value)}]


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"octets": value.decode("latin-1")}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def _findings(records: Iterable[Mapping[str, Any]], facts: Mapping[str, type[Any]]) -> dict[str, Finding]:
    return {str(record["filter"]): _finding(record, facts) for record in records}


def _finding(record: Mapping[str, Any], facts: Mapping[str, type[Any]]) -> Finding:
    reply = record.get("reply")
    return Finding(
        tuple(Symbol(str(name), float(score), str(words)) for name, score, words in record.get("symbols", ())),
        Action[record.get("action", "ACCEPT")],
        bool(record.get("waives", False)),
        MailError(int(reply[0]), str(reply[1]), str(reply[2])) if reply else None,
        tuple(_made(record.get("facts", ()), facts)),
        tuple(_made(record.get("changes", ()), _CHANGES)),
        Action[record.get("unheard", "JUNK")],
    )


def _made(records: Iterable[Any], kinds: Mapping[str, type[Any]]) -> Iterable[Any]:
    for name, values in records:
        kind = kinds.get(name)
        if kind is not None:
            yield kind(**{key: _read(value) for key, value in values.items()})


def _read(value: Any) -> Any:
    if isinstance(value, dict):
        return str(value["octets"]).encode("latin-1")
    return tuple(map(_read, value)) if isinstance(value, list) else value
