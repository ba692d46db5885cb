"""The table of all sections: every setting can be explained, written, read back and set by its path."""

import ast
import asyncio
from pathlib import Path

import pytest

from tests.support.fakes import InlinePool
from whimbrel.app.settings import MailServer
from whimbrel.backends.config import forgetting, paths, store, text, tree, xml
from whimbrel.backends.config.store import FileConfig
from whimbrel.backends.directory.records import schema_of
from whimbrel.core.settings import Section, default_of, element_name
from whimbrel.core.values import Size
from whimbrel.services.admin.people.records import RECORDS
from whimbrel.services.admin.table import calls_of

KNOWN_FORMS = {
    "yes-no", "number", "text", "choice", "list", "size", "duration", "host", "hostport", "password", "cidr", "email",
    "local-part", "path", "ip", "regex", "url", "clients",
    "times",
}  # fmt: skip


def sections(kind: type[Section]) -> list[type[Section]]:
    found = [kind]
    for field in kind.model_fields:
        inner = text.shape(kind, field).section
        if inner:
            found += sections(inner)
    return found


ALL = list(dict.fromkeys(sections(MailServer) + sections(schema_of(RECORDS).root)))
SETTINGS = list(paths.declared(MailServer))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_section_and_field_explains_itself(kind: type[Section]) -> None:
    assert kind.tag
    assert kind.__doc__ and kind.__doc__.strip() != (Section.__doc__ or "").strip()
    for name, field in kind.model_fields.items():
        assert field.description, name
        assert field.description.rstrip().endswith((".", ")", "?")), (name, field.description)
        assert text.shape(kind, name).kind in KNOWN_FORMS | {"section"}, (name, text.shape(kind, name))


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_no_two_fields_have_one_element(kind: type[Section]) -> None:
    assert len(kind.elements()) == len([name for name in kind.model_fields if name != kind.key])


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)
def test_every_default_is_a_value_that_could_be_set(kind: type[Section]) -> None:
    raw = {} if not kind.key else {kind.key: NAMES.get(kind.tag, "example.org")}
    for name, field in kind.model_fields.items():
        if not field.is_required() and not text.shape(kind, name).section:
            shown = default_of(field)
            if shown is None:
                continue  # Not set: the element is not there.
            value = tuple(map(text.written, shown)) if isinstance(shown, tuple) else text.written(shown)
            raw[name] = text.field_value(kind, name, value)
    made = kind.model_validate(raw)
    for name, field in kind.model_fields.items():
        if not field.is_required():
            assert getattr(made, name) == field.default, name


def test_each_section_is_found_by_its_class(tmp_path: Path) -> None:
    config = FileConfig(tmp_path / "mailserver.cfg", MailServer)
    for section in sections(MailServer):
        if not section.key and section.tag not in ("service", "log-file"):
            assert isinstance(config.section(section), section)


NAMES = {"event": "health"}
"""Of an entry of a list whose names are not free."""


def other(kind: type[Section], field: str) -> object:
    """A value that is not the default, or the only one there is."""
    shape, default = text.shape(kind, field), kind.model_fields[field].default
    sample: dict[str, object] = {
        "yes-no": "no" if default is True else "yes",
        "text": "other",
        "host": "other.example",
        "hostport": "127.0.0.1:4321",
        "password": "s3cret",
        "cidr": "10.0.0.0/8",
        "url": "https://other.example",
        "clients": "10.0.0.0/8",
        "times": "mon-fri 08:00-18:00",
    }
    if shape.kind == "choice":
        return next((choice for choice in shape.choices if choice != text.written(default)), text.written(default))
    if shape.many:
        word, choices = text.form(text.elements(kind)[element_name(kind, field)].annotation)
        return (choices[0] if choices else sample.get(word, "7m"),)
    if shape.kind in sample:
        return sample[shape.kind]
    extra = kind.model_fields[field].json_schema_extra
    low, high = (extra.get("minimum"), extra.get("maximum")) if isinstance(extra, dict) else (None, None)
    for number in (low, high, (default or 0) + 1, (default or 0) // 2):
        if number is not None and number != default and (low or 0) <= number <= (number if high is None else high):
            value = text.written(type(default)(number))
            # A few bytes are hardly ever meant, so who means them says so.
            return f"{value}B" if isinstance(default, Size) and value.isdigit() else value
    raise AssertionError(f"{kind.__name__}.{field}: the only value is its default")


def test_every_setting_can_be_set_by_its_path_and_is_read_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "judged", lambda _root, _folder: [])  # Whether they make sense together: test_checks.
    config = FileConfig(tmp_path / "mailserver.cfg", MailServer, pool=InlinePool())
    refused = []
    for path, kind, field in SETTINGS:
        path = path.replace("[]", f"[{NAMES.get(kind.tag, 'example.org')}]")
        value = other(kind, field)
        if text.shape(kind, field).choices == (value,):
            continue
        pattern = next((meta.pattern for meta in kind.model_fields[field].metadata if hasattr(meta, "pattern")), None)
        if pattern:
            refused.append(path)  # What a pattern allows is its section's own matter.
            continue
        assert asyncio.run(config.change({path: value}, confirmed=forgetting.WORDS)), path
        again = FileConfig(tmp_path / "mailserver.cfg", MailServer)
        again.load()
        assert again.root == config.root, path
        assert asyncio.run(config.change({path: None}, confirmed=forgetting.WORDS)) or path.endswith("]"), path
    assert len(refused) < len(SETTINGS) / 4


def test_every_section_there_is_stands_in_the_table() -> None:
    known = {kind.__name__ for kind in ALL} | {"ServiceSettings"}
    source = Path(paths.__file__).parents[2]
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef) and any(keyword.arg == "tag" for keyword in node.keywords):
                assert node.name in known, f"{path.name}: {node.name} is missing in app/settings.py"


def test_the_whole_goes_through_xml() -> None:
    element = tree.build(MailServer())
    assert xml.read(element, MailServer, "f")[0] == MailServer()


def test_every_setting_is_listed_and_described(tmp_path: Path) -> None:
    config = FileConfig(tmp_path / "mailserver.cfg", MailServer)
    listed = [setting.path for setting in config.settings()]
    assert listed == [path for path, _, _ in SETTINGS if "[]" not in path]
    assert len(listed) == len(set(listed))
    for path in listed:
        assert config.describe(path).path == path


def test_what_a_setting_names_is_offered_while_one_types() -> None:
    """The console asks the list of the noun with what was typed."""
    nouns = {paths.reference(kind, field) for kind in ALL for field in kind.model_fields} - {""}
    assert {"ip-group", "time-interval"} <= nouns
    for noun in sorted(nouns):
        listed = next(call for call in calls_of(noun) if call.verb == "list")
        assert {"search", "limit"} <= {parameter.name for parameter in listed.parameters}, noun
