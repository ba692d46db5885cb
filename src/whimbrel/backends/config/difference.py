"""Differences that may be shown to anyone: secrets are masked, but whether two are the same is still seen."""

import difflib
import re
from functools import lru_cache

from whimbrel.backends.config import text
from whimbrel.core.settings import Section

_MAX_LINES = 2000


def unified(ours: bytes, theirs: bytes, file: str, kind: type[Section], other: str = "on disk") -> str:
    """From the file in use to the `other`; empty if they are the same."""
    if ours == theirs:
        return ""
    masks: dict[str, str] = {}
    before, after = (_masked(content.decode("utf-8", "replace"), kind, masks) for content in (ours, theirs))
    lines = list(
        difflib.unified_diff(
            before.splitlines(), after.splitlines(), f"{file} (in use)", f"{file} ({other})", lineterm=""
        )
    )
    if not lines:
        return f"{file}: only line ends differ\n"
    if len(lines) > _MAX_LINES:
        lines = [*lines[:_MAX_LINES], f"... and {len(lines) - _MAX_LINES} lines more"]
    return "\n".join(lines) + "\n"


def _masked(content: str, kind: type[Section], masks: dict[str, str]) -> str:
    pattern = _secrets(kind)

    def mask(match: re.Match[str]) -> str:
        value = match[3]
        if not value.strip():
            return match[0]
        shown = masks.setdefault(value.strip(), f"******** ({len(masks) + 1})")
        return f"<{match[1]}{match[2]}>{shown}<"

    return pattern.sub(mask, content) if pattern else content


@lru_cache(16)
def _secrets(kind: type[Section]) -> re.Pattern[str] | None:
    names = sorted(_secret_names(kind, 0))
    return re.compile(rf"<({'|'.join(map(re.escape, names))})((?:\s[^<>]*)?)>([^<]*)<") if names else None


def _secret_names(kind: type[Section], depth: int) -> set[str]:
    names: set[str] = set()
    for name, field in kind.elements().items():
        inner = text.shape(kind, field).section
        if inner is None:
            if text.shape_is_secret(kind, field):
                names.add(name)
        elif depth < 8:
            names |= _secret_names(inner, depth + 1)
    return names
