"""The rules of the house that no linter knows. HACKING.md says why."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src" / "whimbrel"
FILES = sorted(SRC.rglob("*.py"))
PURE = {"core", "mail", "protocols", "flow"}
MAX_LINES = 500


def room(path: Path) -> str:
    return path.relative_to(SRC).parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_no_file_is_longer_than_500_lines(path: Path) -> None:
    assert len(path.read_text().splitlines()) <= MAX_LINES


@pytest.mark.parametrize(
    "path", [path for path in FILES if room(path) in PURE], ids=lambda path: str(path.relative_to(SRC))
)
def test_time_chance_and_files_come_as_ports(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").split(".")[0]]
        else:
            names = []
        assert not {"time", "os", "random", "secrets", "pathlib", "tempfile"} & set(names), f"line {node.lineno}"
        if isinstance(node, ast.Call):
            assert not (isinstance(node.func, ast.Name) and node.func.id == "open"), f"line {node.lineno}: open()"
            if isinstance(node.func, ast.Attribute) and node.func.attr in ("now", "utcnow", "today"):
                base = node.func.value
                assert not (isinstance(base, ast.Name) and base.id in ("datetime", "date")), f"line {node.lineno}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_names_say_what_a_thing_is(path: Path) -> None:
    assert not re.search(r"(^|_)(utils?|helpers?|manager|misc|common)(_|$)", path.stem)
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ClassDef):
            assert not node.name.endswith(("Manager", "Helper", "Util", "Utils", "Info2"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SRC)))
def test_every_module_says_what_it_is_for(path: Path) -> None:
    tree = ast.parse(path.read_text())
    if tree.body:
        assert ast.get_docstring(tree), "no module docstring"


def test_init_files_are_empty_or_a_table() -> None:
    for path in FILES:
        if path.name == "__init__.py":
            body = ast.parse(path.read_text()).body
            assert not any(isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) for node in body), (
                path
            )


def test_no_registry_address_or_machine_path_is_committed() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        assert "://" not in path.read_text(), path
    assert "uv.lock" in (ROOT / ".gitignore").read_text()
