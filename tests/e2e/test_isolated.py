"""Every interpreter that the server starts runs the server's code alone, whatever directory and environment hold."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.server import ROOT, free_ports, set_up
from whimbrel.app import interpreter

TRAPS = (
    "json",
    "h2",
    "h11",
    "socket",
    "select",
    "sitecustomize",
    "usercustomize",
    "click",
    "uvloop",
    "pwd",
    "whimbrel",
)


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A folder of modules that leave a trace and then fail."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    for name in TRAPS:
        (folder / f"{name}.py").write_text(
            f"open({os.fspath(tmp_path / 'ran')!r}, 'a').write('{name}\\n')\nraise SystemExit(66)\n"
        )
    return folder


def test_the_server_starts_in_a_directory_and_environment_full_of_other_modules(hostile: Path) -> None:
    directory = hostile.parent / "server"
    set_up(directory, 0, free_ports(["smtp"]), {"server/mail-workers": "1"})
    words = [*interpreter.command("whimbrel.app.cli"), "--dir", str(directory), "serve"]
    environment = os.environ | {"PYTHONPATH": str(hostile), "PYTHONSTARTUP": str(hostile / "json.py")}
    server = subprocess.Popen(words, cwd=hostile, env=environment, stdout=subprocess.PIPE, text=True)
    assert server.stdout is not None
    try:
        assert server.stdout.readline().startswith("Whimbrel ")
        assert not (hostile.parent / "ran").exists()
    finally:
        server.terminate()
        server.communicate(timeout=40)
    assert not (hostile.parent / "ran").exists()


def test_the_demonstration_too(hostile: Path) -> None:
    directory = hostile.parent / "var"
    words = interpreter.command("whimbrel.app.demo", str(directory))
    environment = os.environ | {"PYTHONPATH": str(hostile)}
    demo = subprocess.Popen(words, cwd=hostile, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        deadline = time.monotonic() + 60
        while not (directory / "demo.json").exists() and demo.poll() is None and time.monotonic() < deadline:
            time.sleep(0.05)
        assert (directory / "demo.json").exists()
    finally:
        demo.terminate()
        demo.communicate(timeout=60)
    assert not (hostile.parent / "ran").exists()


def test_an_uninstalled_tree_runs_by_its_own_place() -> None:
    start = ROOT / "src" / "whimbrel" / "app" / "start.py"
    words = [sys.executable, "-I", str(start), "whimbrel.app.docs"]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", check=False)
    assert done.returncode == 2 and "usage" in done.stderr


def test_no_start_of_an_interpreter_is_written_in_another_way() -> None:
    """`sys.executable` stands in `interpreter.py`, where it is isolated, and in words for people."""
    allowed = {"interpreter.py", "demo_card.py", "supervisor.py", "pattern.py"}
    for path in (ROOT / "src").rglob("*.py"):
        if path.name not in allowed:
            assert "sys.executable" not in path.read_text(), path
    assert '"-I"' in (ROOT / "src" / "whimbrel" / "backends" / "logs" / "pattern.py").read_text()


@pytest.mark.parametrize(
    "module", ["whimbrel.app.supervisor", "whimbrel.app.zygote", "whimbrel.app.cli", "whimbrel.app.docs"]
)
@pytest.mark.parametrize("variable", [False, True])
def test_a_module_started_by_hand_is_isolated(hostile: Path, module: str, variable: bool) -> None:
    """In a directory full of other modules, with and without PYTHONPATH: it starts, and fails for its own reasons."""
    for name in ("sitecustomize", "usercustomize", "whimbrel"):  # Run or named before any line of ours.
        (hostile / f"{name}.py").unlink()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if variable:
        environment["PYTHONPATH"] = str(hostile)
    words = [sys.executable, "-m", module, *(["--help"] if module.endswith("cli") else [])]
    done = subprocess.run(words, capture_output=True, text=True, cwd=hostile, env=environment, check=False)
    assert done.returncode != 66
    assert not (hostile.parent / "ran").exists()


@pytest.mark.parametrize("variable", [False, True])
def test_the_script_that_pip_makes_is_isolated(hostile: Path, variable: bool) -> None:
    for name in ("sitecustomize", "usercustomize", "whimbrel"):
        (hostile / f"{name}.py").unlink()
    script = hostile / "whimbrel-script"
    script.write_text("import sys\nfrom whimbrel.app.cli import main\nsys.exit(main())\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    if variable:
        environment["PYTHONPATH"] = str(hostile)
    words = [sys.executable, str(script), "--help"]
    done = subprocess.run(words, capture_output=True, text=True, cwd="/", env=environment, check=False)
    assert (done.returncode, "Usage: whimbrel" in done.stdout) == (0, True), done.stderr
    assert not (hostile.parent / "ran").exists()


def test_make_starts_no_interpreter_that_heeds_the_environment() -> None:
    for line in (ROOT / "Makefile").read_text().splitlines():
        for start in re.findall(r"\((?:BIN\)/python|PYTHON\)) (.*?)(?:\s|$)", line):
            assert start in ("-I", "-E"), line
