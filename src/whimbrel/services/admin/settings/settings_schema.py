"""The settings as JSON Schema 2020-12, with the words that a form needs beside it.

Made at build time from the declarations (`core/settings.py`). Names are those of the file; what JSON has no type for is
text, as people write it: sizes (`50M`), durations (`4h`), addresses. `x-path` is how the setting is called everywhere.
"""

from collections.abc import Mapping
from enum import Enum
from typing import Any, Final

from whimbrel.core.settings import Section, element_name, list_of, section_of, xml_name
from whimbrel.core.values import Secret

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_SPELLED: Final = frozenset(
    {"ARC", "BDAT", "DKIM", "DMARC", "DNS", "DSN", "EDNS", "HELO", "ID", "IMAP", "IMAPS", "IP", "IPv4", "IPv6",
     "LMTP", "MX", "POP3", "POP3S", "SMTP", "SASL", "SNI", "SPF", "TCP", "TLS", "UDP", "URL", "VRFY"}
)  # fmt: skip
"""Words that are not written small."""
_WRITTEN: Final = {word.lower(): word for word in _SPELLED} | {"max": "maximum", "min": "minimum"}


def title(name: str) -> str:
    """`relay-tls` -> `Relay TLS`."""
    first, *rest = (_WRITTEN.get(word, word) for word in name.split("-"))
    return " ".join([first if first in _SPELLED else first.capitalize(), *rest])


def settings_schema(root: type[Section]) -> dict[str, Any]:
    """Of the whole configuration."""
    return {"$schema": DIALECT} | section_schema(root, "")


def section_schema(kind: type[Section], path: str) -> dict[str, Any]:
    """Of one section, which stands at `path`."""
    declared = kind.model_json_schema()
    definitions = declared.get("$defs", {})
    properties = {
        name: _field(
            kind, field, f"{path}/{name}" if path else name, declared["properties"].get(field, {}), definitions
        )
        for name, field in kind.elements().items()
    }
    made: dict[str, Any] = {
        "type": "object",
        "title": title(kind.tag or path.rpartition("/")[2]),
        "description": " ".join((kind.__doc__ or "").split()),
        "properties": properties,
        "additionalProperties": False,
    }
    if kind.key:
        key = kind.model_fields[kind.key]
        made["x-key"] = {"name": xml_name(kind.key), "title": title(xml_name(kind.key)), "description": key.description}
    required = [
        element_name(kind, name) for name, info in kind.model_fields.items() if info.is_required() and name != kind.key
    ]
    return made | ({"required": required} if required else {})


def _field(
    kind: type[Section], field: str, path: str, declared: Mapping[str, Any], definitions: Mapping[str, Any]
) -> dict[str, Any]:
    info = kind.model_fields[field]
    inner, many = section_of(info), list_of(info)
    name = path.rpartition("/")[2]
    words = {"title": title(name), "description": info.description or "", "x-path": path}
    if inner is not None:
        return section_schema(inner, path) | words
    if isinstance(many, type) and issubclass(many, Section):
        entry = section_schema(many, f"{path}[]")
        shown = {word: value for word, value in declared.items() if word.startswith("x-")}
        return {"type": "array", "items": entry, **shown, **words, "x-columns": list(entry["properties"])}
    made = {word: value for word, value in declared.items() if word not in ("title", "description", "default")}
    reference = made.pop("$ref", "") or (made.pop("allOf", [{}])[0]).get("$ref", "")
    if reference:
        target = definitions[reference.rpartition("/")[2]]
        made = {word: value for word, value in target.items() if word not in ("title", "description")} | made
    if not info.is_required():
        default = natural(info.default)
        made["default"] = default
        made |= {f"x-{bound}": natural(type(info.default)(made[bound])) for bound in ("minimum", "maximum")
                 if bound in made and isinstance(info.default, int | float) and isinstance(default, str)}  # fmt: skip
    if made.get("format") == "password":
        made["x-secret"] = True
        made.pop("default", None)
    return made | words


def natural(value: Any) -> Any:
    """A value as JSON has it: yes and no as booleans, plain numbers as numbers, all else as people write it."""
    if isinstance(value, tuple):
        return [natural(item) for item in value]
    if isinstance(value, Enum):
        return value.value
    if value is None or isinstance(value, Secret):
        return None
    return value if type(value) in (bool, int, float) else str(value)
