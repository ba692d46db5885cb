"""The checks of the console (web/console): types, lint, format, texts, unit tests, size of what a browser fetches.

`python -m tests.run --console` runs them alone. They need Node; where there is none and none can be fetched they fail
with a sentence, as everything that is missing does.
"""

import json
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from web import build

SCRIPTS = {
    "types": ["run", "--silent", "types"],
    "lint": ["run", "--silent", "lint"],
    "format": ["run", "--silent", "format:check"],
    "texts": ["run", "--silent", "texts:check"],
}


@dataclass
class Outcome:
    """`passed` counts checks and unit tests; `failed` names what did not pass."""

    passed: int = 0
    failed: list[str] = field(default_factory=list)

    def count(self, name: str, well: bool, said: str) -> None:
        if well:
            self.passed += 1
        else:
            self.failed.append(f"console {name}")
            print(f"--- console {name}\n{said}", flush=True)


def check() -> Outcome:
    """Runs all of them; prints what those that fail say."""
    outcome = Outcome()
    try:
        env = build.environment()
        build.install(env)
    except (build.NoNodeError, subprocess.CalledProcessError) as error:
        outcome.count("node", False, str(error))
        return outcome

    def start(*words: str) -> subprocess.Popen[str]:
        return subprocess.Popen(["npm", *words], cwd=build.CONSOLE, env=env, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)  # fmt: skip

    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "tests.json")
        tests = start("run", "--silent", "test", "--", "--reporter=json", f"--outputFile={report}")
        running = {name: start(*words) for name, words in SCRIPTS.items()}
        for name, process in running.items():
            said, _ = process.communicate()
            outcome.count(name, process.returncode == 0, said)
        said, _ = tests.communicate()
        _count_tests(outcome, report, tests.returncode, said)
    _check_size(outcome, env)
    return outcome


def _count_tests(outcome: Outcome, report: Path, code: int, said: str) -> None:
    if not report.exists():
        outcome.count("tests", False, said)
        return
    told = json.loads(report.read_text())
    outcome.passed += told["numPassedTests"]
    for suite in told["testResults"]:
        if suite["status"] == "failed" and not suite["assertionResults"]:
            outcome.count(suite["name"], False, suite["message"])
        for each in suite["assertionResults"]:
            if each["status"] == "failed":
                outcome.count(f"test: {each['fullName']}", False, "\n".join(each["failureMessages"]))
    if code and not outcome.failed:
        outcome.count("tests", False, said)


def _check_size(outcome: Outcome, env: dict[str, str]) -> None:
    """Of the console as it is built now."""
    try:
        if build.stale():
            build.build(env)
    except subprocess.CalledProcessError as error:
        outcome.count("build", False, str(error))
        return
    sizes = subprocess.run(
        ["npm", "run", "--silent", "budget"], cwd=build.CONSOLE, env=env, capture_output=True, text=True
    )
    outcome.count("size", sizes.returncode == 0, sizes.stdout + sizes.stderr)
