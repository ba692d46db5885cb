"""Documentation made from the declarations: `python -m whimbrel.app.docs docs/gen`, with --check to compare only.

settings.md tells every setting, commands.md every command, standards.md every standard; the two samples show the files
with everything that can stand in them. What a running server hands out to consoles is made too, in the package itself;
and the console's catalogs of what the server says, which keep the translations that they have.
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.sax.saxutils import escape

from whimbrel.app.cli.reference import commands_page
from whimbrel.app.settings import MailServer
from whimbrel.app.standards import standards_page
from whimbrel.app.texts import catalog, texts
from whimbrel.backends.config import paths, text
from whimbrel.backends.directory.records import schema_of
from whimbrel.core.config import Setting
from whimbrel.core.settings import Section, section_of, xml_name
from whimbrel.services.admin.console_file import SCHEMA
from whimbrel.services.admin.console_schema import console_schema
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.admin.schema import openapi
from whimbrel.services.admin.table import all_calls

_FORMS = {
    "yes-no": "yes or no",
    "size": "size, such as 50M",
    "duration": "duration, such as 4h",
    "host": "domain name",
    "hostport": "address:port",
    "cidr": "network, such as 10.0.0.0/8",
    "clients": "address, network, range or IP group",
    "times": "times, days, or a time interval",
    "password": "secret",
    "url": "URL (https)",
    "email": "address",
    "local-part": "name",
}
_APPLIES = {"now": "", "service": "when the service is restarted", "restart": "when the server is restarted"}


_PACKAGE = Path(__file__).resolve().parents[1]
CATALOG = _PACKAGE.parents[1] / "web" / "console" / "src" / "texts" / "server" / "de.po"


def files() -> dict[str, str]:
    """Name and content of every generated file."""
    schema = console_schema(MailServer, RECORDS, schema_of(RECORDS).section, all_calls())
    return {
        "settings.md": settings_page(),
        "commands.md": commands_page(),
        "openapi.json": json.dumps(openapi(all_calls(), "1"), indent=1, ensure_ascii=False) + "\n",
        SCHEMA.name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n",
        CATALOG.name: catalog(texts(schema, _PACKAGE), CATALOG.read_text("utf-8") if CATALOG.is_file() else ""),
        "standards.md": standards_page(),
        "mailserver.cfg.sample": sample(MailServer),
        "users.cfg.sample": users_sample(),
    }


def place(name: str, folder: str | Path) -> Path:
    """Where a generated file stands."""
    return {SCHEMA.name: SCHEMA, CATALOG.name: CATALOG}.get(name) or Path(folder, name)


def settings_page(root: type[Section] = MailServer) -> str:
    lines = [
        "# Settings",
        "",
        "Made from the declarations by `make docs`; do not edit.",
        "",
        "A setting stands in `mailserver.cfg` as an element inside the element of its section; one that is not there",
        "has its default. `whimbrel config set smtp/max-message-size 80M` writes it, `whimbrel config describe` tells",
        "about it. A list is its element repeated; an empty element is the empty list. Changes take effect at once",
        "unless it says otherwise. *Advanced*: leave it as it is unless you know why.",
        "",
        *_pages(root, ""),
        "# Users",
        "",
        "Domains, users, aliases, groups and templates stand in `users.cfg`.",
        "",
        *_pages(schema_of(RECORDS).root, ""),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _pages(kind: type[Section], path: str) -> Iterator[str]:
    plain = [(name, field) for name, field in kind.elements().items() if not text.shape(kind, field).section]
    if plain or kind.key:
        yield f"## {path}"
        yield ""
        yield _doc(kind)
        yield ""
        if kind.key:
            key = xml_name(kind.key)
            info = kind.model_fields[kind.key]
            yield f'Written `<{kind.tag} {key}="...">`. **{key}**: {info.description}'
            yield ""
        yield from (_table(kind, plain) if plain else ())
    for name, field in kind.elements().items():
        shape = text.shape(kind, field)
        if shape.section:
            here = f"{path}/{name}" if path else name
            yield from _pages(shape.section, f"{here}[]" if shape.many else here)


def _table(kind: type[Section], fields: list[tuple[str, str]]) -> Iterator[str]:
    yield "| setting | form | default | meaning |"
    yield "|---|---|---|---|"
    for name, field in fields:
        declared = described(kind, name, field)
        meaning = declared.help
        if declared.minimum or declared.maximum:
            low, high = declared.minimum or "...", declared.maximum or "..."
            meaning += f" ({low} to {high})" if declared.minimum and declared.maximum else f" (at least {low})"
        if _APPLIES[declared.applies]:
            meaning += f" Takes effect {_APPLIES[declared.applies]}."
        if declared.danger:
            values = f" For {_values(declared.danger_values)}" if declared.danger_values else " For any other value"
            meaning += f"{values} `{declared.danger_words}` must be typed: {declared.danger}."
        if declared.check:
            meaning += " Tried by `whimbrel config test`."
        if declared.advanced:
            meaning += " *Advanced.*"
        if declared.row:
            meaning += f" [{declared.row}]"
        default = ", ".join(declared.default) if isinstance(declared.default, tuple) else declared.default
        shown = f"`{default}`" if default else ""
        yield f"| {name} | {_form(declared, kind, field)} | {_cell(shown)} | {_cell(meaning)} |"
    yield ""


def _values(values: tuple[str, ...]) -> str:
    return " or ".join(f"`{value}`" for value in values)


def described(kind: type[Section], path: str, field: str) -> Setting:
    """A setting as its declaration says it, with the default as its value."""
    values = {} if not kind.key else {kind.key: "example.org"}
    return paths.setting(path, kind.model_construct(**{
        name: info.default for name, info in kind.model_fields.items() if not info.is_required()
    } | values), field)  # fmt: skip


def _form(declared: Setting, kind: type[Section], field: str) -> str:
    if declared.choices:
        form = ", ".join(declared.choices)
    elif text.shape(kind, field).many:
        inner = text.elements(kind)[declared.path].annotation
        form = _FORMS.get(text.form(inner)[0], text.form(inner)[0])
    else:
        form = _FORMS.get(declared.kind, declared.kind)
    return f"list: {form}" if text.shape(kind, field).many else form


def _cell(words: str) -> str:
    return words.replace("|", "\\|").replace("\n", " ")


def _doc(kind: type[Section]) -> str:
    return " ".join((kind.__doc__ or "").split())


def sample(root: type[Section]) -> str:
    """A file in which every setting stands as a remark with its default: take away the remark marks to set it."""
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f"<!-- {_remark(_doc(root))}",
        "     Every setting is shown with its default. -->",
    ]
    lines.append(f'<{root.tag} version="1.0">')
    lines += _sample_section(root(), 1)
    lines.append(f"</{root.tag}>")
    return "\n".join(lines) + "\n"


def _sample_section(section: Section, depth: int) -> Iterator[str]:
    kind, indent = type(section), "  " * depth
    for name, field in kind.elements().items():
        shape, info = text.shape(kind, field), kind.model_fields[field]
        help = _remark(info.description or "")
        if section_of(info):
            inner = getattr(section, field)
            yield f"{indent}<!-- {_remark(_doc(type(inner)))} -->"
            yield f"{indent}<{name}>"
            yield from _sample_section(inner, depth + 1)
            yield f"{indent}</{name}>"
        elif shape.section:
            yield f"{indent}<!-- {help}"
            yield f'{indent}<{name} {xml_name(shape.section.key)}="...">'
            for inner_name, inner_field in shape.section.elements().items():
                declared = described(shape.section, inner_name, inner_field)
                yield f"{indent}  {_element(inner_name, declared.default)}"
            yield f"{indent}</{name}> -->"
        else:
            default = info.default
            values = [text.written(item) for item in default] if isinstance(default, tuple) else [text.written(default)]
            elements = " ".join(_element(name, value) for value in values or ["..."])
            yield f"{indent}<!-- {help}"
            yield f"{indent}{elements} -->"


def _element(name: str, value: str | tuple[str, ...]) -> str:
    shown = value if isinstance(value, str) else (value[0] if value else "")
    return f"<{name}>{_remark(escape(shown))}</{name}>"


def _remark(words: str) -> str:
    """Two hyphens may not stand in a remark. XML 1.0 2.5"""
    return words.replace("--", "- -").rstrip("-")


def users_sample() -> str:
    return """<?xml version="1.0" encoding="UTF-8"?>
<!-- Domains and everyone in them. The password is a verifier, made by: whimbrel user password NAME -->
<users version="1.1">
  <!-- Exactly one domain is primary: its users sign in by bare name. -->
  <domain name="example.org">
    <primary>yes</primary>
    <description>Our company</description>
    <domain-alias>example.net</domain-alias>
    <catch-all>alice</catch-all>
    <user name="alice">
      <full-name>Alice Example</full-name>
      <rights>server-write</rights>
      <alias>a.example</alias>
      <quota>5G</quota>
    </user>
    <user name="bob">
      <full-name>Bob Example</full-name>
      <forward-to>bob@elsewhere.example</forward-to>
    </user>
    <!-- An address without @ is one in this domain. -->
    <alias name="info">
      <to>alice</to>
      <to>bob</to>
    </alias>
    <!-- * stands for any characters, ? for one. -->
    <alias name="shop-*">
      <to>bob</to>
    </alias>
    <group name="everyone">
      <member>alice</member>
      <member>bob</member>
    </group>
    <!-- What a new user gets by `user add` from this template: copied, not linked. -->
    <template name="staff">
      <group>everyone</group>
      <quota>2G</quota>
    </template>
  </domain>
</users>
"""


def main(arguments: list[str]) -> int:
    """0 done or the same, 1 stale, 2 usage."""
    check = "--check" in arguments
    folders = [argument for argument in arguments if not argument.startswith("-")]
    if len(folders) != 1:
        print("usage: python -m whimbrel.app.docs [--check] FOLDER", file=sys.stderr)
        return 2
    stale = []
    for name, content in files().items():
        path = place(name, folders[0])
        if path.is_file() and path.read_text(encoding="utf-8") == content:
            continue
        stale.append(str(path))
        if not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(content, encoding="utf-8")
    if check and stale:
        print(f"stale: {', '.join(stale)}; run make docs", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
