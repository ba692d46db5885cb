"""The texts that a console shows of what the server says, taken out of the sources; decision record 0025.

    texts(schema, package)          all of them, for a catalog
    catalog(texts, known)           the catalog, with the translations that there are already

Declared texts stand in the schema: titles, descriptions and helps. Sentences stand in the code of the rooms that speak
to administrators; what is put into them becomes `{name}`. A sentence with two forms (`{'is' if n == 1 else 'are'}`) is
two texts.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from pathlib import Path
from typing import Any, Final

ROOMS: Final = (
    "app/dialler.py",
    "app/server.py",
    "app/setup/machine.py",
    "app/setup/writing.py",
    "app/store_mark.py",
    "backends/config",
    "backends/directory/build.py",
    "backends/directory/changes.py",
    "backends/disk/space.py",
    "backends/logs/settings.py",
    "backends/net/guard.py",
    "backends/net/settings.py",
    "backends/store/settings.py",
    "backends/tls/certificate_check.py",
    "backends/tls/certificate_files.py",
    "backends/tls/settings.py",
    "core/address.py",
    "core/cleanout.py",
    "core/counting.py",
    "core/credentials",
    "core/definitions.py",
    "core/idna_names.py",
    "core/network.py",
    "core/people.py",
    "core/record.py",
    "core/rights.py",
    "core/settings.py",
    "core/urls.py",
    "core/values.py",
    "flow/delivery/health.py",
    "flow/delivery/settings.py",
    "flow/judging/health.py",
    "flow/routing/relay.py",
    "flow/routing/router.py",
    "services/admin",
    "services/alerts",
    "services/console/body.py",
    "services/console/gate.py",
    "services/console/password_link.py",
    "services/console/preferences.py",
    "services/console/sessions.py",
    "services/console/sign_in.py",
    "services/console/tokens.py",
    "services/health",
    "services/jobs",
    "services/peers/settings.py",
    "services/probing",
    "services/session/authenticator.py",
    "services/session/services.py",
    "services/session/settings.py",
    "services/setup",
)
"""Files and folders whose sentences administrators read."""
ASIDE: Final = frozenset(
    {
        "services/admin/__init__.py",
        "services/admin/local.py",
        "services/admin/schema.py",
        "services/admin/people/link_letter.py",
        "services/admin/schema_beside.py",
        "services/admin/people/table_text.py",
        "services/alerts/teller.py",
        "services/jobs/warning.py",
        "services/setup/answers_file.py",
    }
)
"""Files of these rooms that speak to machines, to a terminal or to users by mail; or have languages of their own."""
JOINED: Final = (
    "1 day",
    "{number} days",
    "1 hour",
    "{number} hours",
    "1 minute",
    "{number} minutes",
    "The server cannot be reached ({why}).",
    "The server answered {status}.",
    "The answer broke off before its end.",
    "The server's answer is no JSON ({error}).",
    "The one-time code is needed again.",
    "Setting up asks for no password.",
)
"""Texts that no source has as a whole: durations (`core/counting.py`), and what the console says of a request."""
DECLARED: Final = frozenset({"title", "description", "help", "text", "x-like", "x-unit", "x-group"})
"""Words of the schema whose values people read."""
_TITLED: Final = frozenset({"Check", "AlertEvent", "Step", "Field"})
"""What is called by a title, which may be a single word."""
_SILENT: Final = frozenset(
    {
        "AssertionError",
        "RuntimeError",
        "TypeError",
        "NotImplementedError",
        "TypeVar",
        "cast",
        "view",
        "compile",
        "execute",
    }
)
"""Calls whose texts are for developers and machines."""
_MOST_FORMS: Final = 8


def texts(schema: Mapping[str, Any], package: Path) -> list[str]:
    """Of the schema for consoles what forms draw (calls are drawn by nobody), and of all rooms."""
    return [*declared([schema["settings"], schema["records"]]), *spoken(package), *JOINED]


def declared(schema: object) -> Iterator[str]:
    """Of a schema for consoles, such as `console.json`."""
    if isinstance(schema, Mapping):
        for word, value in schema.items():
            if word in DECLARED and isinstance(value, str):
                if _readable(value, titled=True):
                    yield value
            elif word not in ("default", "examples", "enum"):
                yield from declared(value)
    elif isinstance(schema, list | tuple):
        for value in schema:
            yield from declared(value)


def spoken(package: Path, rooms: Iterable[str] = ROOMS) -> Iterator[str]:
    """Of all rooms, in the order of their files."""
    for room in rooms:
        place = package / room
        for file in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            if file.relative_to(package).as_posix() not in ASIDE:
                yield from sentences(ast.parse(file.read_text("utf-8")))


def sentences(tree: ast.Module) -> Iterator[str]:
    """Of one module."""
    reader = _Reader()
    reader.visit(tree)
    yield from reader.texts


class _Reader(ast.NodeVisitor):
    """The texts of one module."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # A docstring is for readers of the code.
            self.generic_visit(node)

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """What stands with its parameters and its decorators is help of the command line."""
        for each in node.body:
            self.visit(each)

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815 - ast names it

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        name = _called(node)
        if name in _SILENT or _logs(node):
            return
        if name == "counted":
            self._count(node)
        for each in (*node.args, *(word.value for word in node.keywords)):
            if name in _TITLED and isinstance(each, ast.Constant) and isinstance(each.value, str):
                if _readable(each.value, titled=each.value[:1].isupper()):
                    self.texts.append(each.value)
            else:
                self.visit(each)
        self.visit(node.func)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        if _last(node.value) not in ("Annotated", "Literal"):
            self.generic_visit(node)

    def visit_Dict(self, node: ast.Dict) -> None:
        for value in node.values:
            self.visit(value)

    def visit_Tuple(self, node: ast.Tuple | ast.Set | ast.List) -> None:
        """Plain words beside each other are what other programs write, such as the headings of a table."""
        words = [each.value for each in node.elts if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        if not (len(words) == len(node.elts) and all(_PLAIN.fullmatch(word) for word in words)):
            self.generic_visit(node)

    visit_Set = visit_Tuple  # noqa: N815 - ast names it
    visit_List = visit_Tuple  # noqa: N815 - ast names it

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str) and _readable(node.value):
            self.texts.append(node.value)

    def visit_IfExp(self, node: ast.IfExp) -> None:
        """`"was" if one else "were"` is put into a sentence elsewhere."""
        words = [word for word in (_constant(node.body), _constant(node.orelse)) if _WORD.fullmatch(word)]
        if len(words) == 2:
            self.texts += words
        self.generic_visit(node)

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self.texts += [text for text in _forms(node) if _readable(text)]
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self.visit(value.value)

    def visit_BinOp(self, node: ast.BinOp) -> None:
        """`"a text: " + ", ".join(names)` has one place for a value, as `f"a text: {names}"` has."""
        if not _is_text(node):
            self.generic_visit(node)
            return
        self.texts += [text for text in _forms(node) if _readable(text)]
        for side in (node.left, node.right):
            if not isinstance(side, ast.Constant | ast.JoinedStr):
                self.visit(side)

    def _count(self, node: ast.Call) -> None:
        thing = node.args[1] if len(node.args) > 1 else None
        for word in _choices(thing) if thing is not None else ():
            if name := _constant(word):
                self.texts += [f"1 {name}", f"{{number}} {name}s"]


def _constant(node: ast.expr) -> str:
    """Empty: it is none."""
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _called(node: ast.Call) -> str:
    return _last(node.func)


def _last(node: ast.expr) -> str:
    return node.id if isinstance(node, ast.Name) else getattr(node, "attr", "")


def _logs(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value).endswith(("log", "logger"))


def _is_text(node: ast.expr) -> bool:
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add) and (_is_text(node.left) or _is_text(node.right))
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _choices(node: ast.expr) -> list[ast.expr]:
    return [node.body, node.orelse] if isinstance(node, ast.IfExp) else [node]


def _forms(node: ast.expr) -> list[str]:
    """A text with its values as `{name}`, once for each of its forms."""
    parts: list[list[ast.expr | str]] = [_choices_of_text(part) for part in _parts(node)]
    forms = []
    for chosen in list(product(*parts))[:_MOST_FORMS]:
        names: dict[str, int] = {}
        forms.append("".join(each if isinstance(each, str) else _place(each, names) for each in chosen))
    return forms


def _parts(node: ast.expr) -> Iterator[ast.expr]:
    if isinstance(node, ast.BinOp) and _is_text(node):
        yield from _parts(node.left)
        yield from _parts(node.right)
    elif isinstance(node, ast.JoinedStr):
        for value in node.values:
            yield value.value if isinstance(value, ast.FormattedValue) else value
    else:
        yield node


def _choices_of_text(part: ast.expr) -> list[ast.expr | str]:
    """Both words of `'is' if one else 'are'`; a text as it is; anything else is a value."""
    made: list[ast.expr | str] = []
    for each in _choices(part):
        if isinstance(each, ast.Constant) and isinstance(each.value, str):
            made.append(each.value)
        elif isinstance(part, ast.IfExp) and isinstance(each, ast.JoinedStr):
            made += _forms(each)
        else:
            return [part]
    return made


def _place(node: ast.expr, names: dict[str, int]) -> str:
    """`{free}`: the last word of what is put in says best what it is."""
    words = [word for word in re.findall(r"[A-Za-z]{2,}", re.sub(r"'[^']*'", "", ast.unparse(node))) if _names(word)]
    name = words[-1].lower() if words else "value"
    names[name] = names.get(name, 0) + 1
    return f"{{{name}{names[name] if names[name] > 1 else ''}}}"


def _names(word: str) -> bool:
    return word not in ("if", "else", "for", "in", "not", "self", "len", "str", "and", "or", "is", "join", "value")


_WORD: Final = re.compile("is|are|was|were|has|have|waits?|tells|told")
_PLAIN: Final = re.compile(r"[a-z0-9_ -]+")
_PLACE: Final = re.compile(r"\{\w+\}")
_CODE: Final = re.compile(
    r"^(SELECT|INSERT|UPDATE|DELETE|CREATE|PRAGMA|BEGIN|AND |HTTP/|whimbrel |[-<*/.%$^(\[\\])"
    r"|\\[sdw]| \| |; charset|Max-Age"
)


def _readable(text: str, *, titled: bool = False) -> bool:
    """A text that people read, and no name, query or pattern."""
    bare = _PLACE.sub("", text)
    if len(text) > 2000 or _CODE.search(text.strip()):
        return False
    if titled:
        return re.search(r"[A-Za-z]", bare) is not None
    return (
        re.search(r"[A-Za-z]{2}", bare) is not None and " " in text.strip() and re.search(r"[a-z]{2}", bare) is not None
    )


def catalog(texts: Iterable[str], known: str) -> str:
    """A catalog as gettext writes them, with the translations that `known` has of these texts; new ones are empty."""
    before = translations(known)
    lines = ['msgid ""', 'msgstr ""', _quoted("Content-Type: text/plain; charset=utf-8\n"), _quoted("Language: de\n")]
    for text in sorted(set(texts)):
        lines += ["", f"msgid {_quoted(text)}", f"msgstr {_quoted(before.get(text, ''))}"]
    return "\n".join(lines) + "\n"


def translations(catalog_text: str) -> dict[str, str]:
    """The pairs of a catalog whose texts stand in one line each."""
    pairs = re.findall(r'^msgid (".*")\nmsgstr (".*")$', catalog_text, re.MULTILINE)
    return {_read(text): _read(said) for text, said in pairs if text != '""'}


def places(text: str) -> list[str]:
    """The names of the values in a text."""
    return sorted(_PLACE.findall(text))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'


def _read(quoted: str) -> str:
    marks = {"n": "\n", "t": "\t"}
    return re.sub(r"\\(.)", lambda match: str(marks.get(match[1], match[1])), quoted[1:-1])
