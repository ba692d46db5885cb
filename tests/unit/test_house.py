"""The rules of the house that no linter knows. HACKING.md says why."""

import ast
import re
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
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


def modules(root: Path) -> dict[str, Path]:
    """Each module below `root`, by its whole name."""
    names = {path: path.relative_to(root.parent).with_suffix("").parts for path in sorted(root.rglob("*.py"))}
    return {".".join(parts[:-1] if parts[-1] == "__init__" else parts): path for path, parts in names.items()}


def imports(name: str, path: Path, known: Mapping[str, Path]) -> set[str]:
    """The modules of ours that one names, wherever it does: in a function, or for types alone, too."""
    named: set[str] = set()
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *filter(None, [node.module])])
            named |= {full if (full := f"{base}.{alias.name}") in known else base for alias in node.names}
    return named & known.keys() - {name}


def circle(root: Path) -> list[str]:
    """Modules that import each other, the first again at the end; empty if there are none."""
    known = modules(root)
    try:
        TopologicalSorter({name: imports(name, path, known) for name, path in known.items()}).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert not circle(SRC), "move what both need down, into a module that needs neither"


@pytest.mark.parametrize(
    "line",
    [
        "from house.b import B",
        "from house import b",
        "import house.b",
        "from .b import B",
        "from . import b",
        "if TYPE_CHECKING:\n    from house.b import B",
        "def late():\n    from house.b import B",
    ],
)
def test_a_circle_is_seen_however_it_is_imported(tmp_path: Path, line: str) -> None:
    house = tmp_path / "house"
    house.mkdir()
    for name, text in (("__init__", ""), ("a", line), ("b", "from house.c import C"), ("c", "")):
        (house / f"{name}.py").write_text(text)
    assert circle(house) == []
    (house / "c.py").write_text("import house.a")
    assert set(circle(house)) == {"house.a", "house.b", "house.c"}
