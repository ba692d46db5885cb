"""`make test`: the house rules, then everything that can run here. Last line: `N passed, N failed, N skipped`.

Nothing is skipped in silence: each missing program or folder is named. WHIMBREL_DEMAND=1 (CI) makes it a failure.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from pathlib import Path

from tests import console

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent

CHECKS = {
    "ruff": [str(BIN / "ruff"), "check", "--quiet", "."],
    "format": [str(BIN / "ruff"), "format", "--quiet", "--check", "."],
    "mypy": [str(BIN / "mypy"), "--no-error-summary"],
    "imports": [str(BIN / "lint-imports"), "--no-cache"],
}


def check() -> list[str]:
    """Runs the checks at once; names those that failed, after printing what they said."""
    started = {name: subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
               for name, command in CHECKS.items()}  # fmt: skip
    failed = []
    for name, process in started.items():
        output, _ = process.communicate()
        if process.returncode:
            failed.append(name)
            print(f"--- {name}\n{output}", flush=True)
    return failed


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check-only", action="store_true", help="house rules and types only")
    parser.add_argument("--console", action="store_true", help="the checks of web/console only")
    parser.add_argument("--serial", action="store_true", help="one process")
    parser.add_argument("rest", nargs="*", help="folders or files below tests/, and pytest options")
    options, more = parser.parse_known_args()
    start = time.monotonic()
    if options.console:
        web = console.check()
        print(f"{web.passed} passed, {len(web.failed)} failed, 0 skipped")
        return 1 if web.failed else 0
    failed = check()
    if options.check_only:
        print(f"{len(CHECKS) - len(failed)} passed, {len(failed)} failed, 0 skipped")
        return 1 if failed else 0
    web = console.Outcome() if options.rest else console.check()
    command = [sys.executable, "-m", "pytest", "-rsfE", *(options.rest or ["tests"]), *more]
    if not options.serial:
        command += ["-n", str(os.cpu_count() or 2), "--dist", "loadgroup"]
    env = os.environ | {"PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"}
    process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    summary = ""
    for line in process.stdout:
        print(line, end="", flush=True)
        if " in " in line and re.search(r"\d+ (passed|failed|skipped|error)", line):
            summary = line
    code = process.wait()

    def count(word: str) -> int:
        match = re.search(rf"(\d+) {word}", summary)
        return int(match[1]) if match else 0

    bad = count("failed") + count("error") + len(failed) + len(web.failed)
    if code and not bad:
        bad = 1
    if failed or web.failed:
        print(f"House rules broken: {', '.join([*failed, *web.failed])}")
    print(f"Took {time.monotonic() - start:.0f} s")
    print(
        f"{count('passed') + len(CHECKS) - len(failed) + web.passed} passed, {bad} failed, {count('skipped')} skipped"
    )
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
