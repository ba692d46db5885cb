"""Changes that were acknowledged and cannot be applied to users.cfg as it is: kept and shown until a person decides.

That happens when users.cfg was edited outside within the second in which it lacked them. Each time makes one file,
`history/users.cfg.changes.00000001`, 0600, one change a line in JSON; who has made those again that are still wanted
deletes it. Of a damaged journal it is a copy.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from whimbrel.backends.config import text
from whimbrel.backends.config.files import own_like, sync, sync_folder
from whimbrel.backends.directory.journal import from_text
from whimbrel.backends.directory.records import Schema
from whimbrel.core.directory import DirectoryChange

_MAX_LINES: Final = 500
_MAX_BYTES: Final = 8 << 20
_MASK: Final = "********"


def put_aside(history: Path, name: str, data: bytes, owner: Path) -> Path:
    """Durable when it returns."""
    history.mkdir(mode=0o700, parents=True, exist_ok=True)
    number = 1
    while (path := history / f"{name}.{number:08d}").exists():
        number += 1
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        own_like(file.fileno(), owner)
        file.write(data)
        file.flush()
        sync(file.fileno())
    sync_folder(history)
    return path


def shown(history: Path, name: str, schema: Schema) -> str:
    """What lies aside, in the manner of a diff; secrets are masked. Empty if nothing does."""
    lines: list[str] = []
    for path in sorted(history.glob(f"{name}.*")):
        if not re.fullmatch(r"\.\d{8}", path.suffix) or len(lines) > _MAX_LINES:
            continue
        lines.append(f"--- {path} (not in force; make again what is still wanted, then delete this file)")
        try:
            with open(path, "rb") as file:
                changes = from_text(file.read(_MAX_BYTES))
        except (ValueError, KeyError, TypeError, AttributeError):
            lines.append("(a copy of a damaged journal)")
            continue
        lines += [f"+{line}" for change in changes for line in _lines(change, schema)]
    return "\n".join([*lines[:_MAX_LINES], *(["... and more"] if len(lines) > _MAX_LINES else []), ""]) if lines else ""


def _lines(change: DirectoryChange, schema: Schema) -> Iterator[str]:
    name = f"{change.name}@{change.domain}" if change.name else change.domain
    head = f"{change.op.value} {change.kind.value} {name}"
    if not change.values:
        yield head
    record = schema.section(change.kind)
    for element, value in change.values.items():
        field = record.field_for(element)
        # What is not known here is masked too: it may be a secret of another release.
        hidden = value is not None and (field is None or text.shape_is_secret(record, field))
        for item in value if isinstance(value, tuple) else (value,):
            yield f"{head}: {element}: {_MASK if hidden else json.dumps(item, ensure_ascii=False)}"
