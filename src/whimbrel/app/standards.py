"""docs/gen/standards.md: which sections of which standard each module implements, what is not done, and quirks.

Read from the modules themselves: the `Standards:` paragraph of their docstrings, and comments of the forms
`# RFC 9208 4.1.2: not done, <reason>` and `# Quirk (program): <what it sends>, <what we do>`.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
_STANDARDS = re.compile(r"^Standards:\s*(.+?)(?:\n\s*\n|\Z)", re.MULTILINE | re.DOTALL)
_RFC = re.compile(r"RFC (\d{3,5})")
_QUIRK = re.compile(r"# (Quirk \(.+)")
_NOT_DONE = re.compile(r"(RFC \d+[^.:]*: not done, [^\"]+)")


def standards_page() -> str:
    """The whole page."""
    lines = [
        "# Standards",
        "",
        "Made from the modules by `make docs`; do not edit.",
        "",
        "| RFC | sections and module |",
        "|---|---|",
    ]
    for rfc, entries in sorted(_by_rfc().items()):
        lines.append(f"| {rfc} | {'<br>'.join(entries)} |")
    lines += ["", "## Not done", "", *_list(_NOT_DONE), "", "## Quirks of clients", "", *_list(_QUIRK)]
    return "\n".join(lines) + "\n"


def _by_rfc() -> dict[int, list[str]]:
    parts: dict[int, list[str]] = {}
    for path in sorted(_ROOT.rglob("*.py")):
        stated = _STANDARDS.search(ast.get_docstring(ast.parse(path.read_text())) or "")
        if not stated:
            continue
        text = " ".join(stated[1].split())
        module = str(path.relative_to(_ROOT.parent)).replace("\\", "/")
        marks = list(_RFC.finditer(text))
        for mark, following in zip(marks, [*marks[1:], None], strict=False):
            part = text[mark.end() : following.start() if following else len(text)].strip(" ,;.")
            parts.setdefault(int(mark[1]), []).append(f"{part or 'as a whole'} `{module}`".replace("|", "\\|"))
    return parts


def _list(pattern: re.Pattern[str]) -> Iterator[str]:
    for path in sorted(_ROOT.rglob("*.py")):
        if path == Path(__file__).resolve():
            continue
        for line in path.read_text().splitlines():
            match = pattern.search(line)
            if match:
                yield f"- {match[1].strip()} (`{path.relative_to(_ROOT.parent)}`)"
