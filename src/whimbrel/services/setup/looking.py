"""Making the checks of a step: all at the same time, each for so long and no longer."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from whimbrel.services.setup.field import Values
from whimbrel.services.setup.machine import Machine
from whimbrel.services.setup.step import Check, Finding, Level, Step

WITHIN: Final = 8.0
"""Seconds for the checks of a step."""
TRIAL_WITHIN: Final = 40.0
"""Seconds for one that a person asked for: another server may be slow."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a check came to."""

    check: Check
    findings: Sequence[Finding] = field(default_factory=list)


def look(step: Step, values: Values, machine: Machine, *, demanded: str = "") -> list[Result]:
    """Those that are always made; or the one of that name."""
    chosen = [check for check in step.checks if check.name == demanded or not (demanded or check.on_demand)]
    findings: dict[str, Sequence[Finding]] = {}
    # Daemons: what waits for a server that never answers does not hold up the end of the program.
    threads = [
        threading.Thread(target=_make, args=(check, values, machine, findings), daemon=True) for check in chosen
    ]  # fmt: skip
    for thread in threads:
        thread.start()
    end = time.monotonic() + (TRIAL_WITHIN if demanded else WITHIN)
    for thread in threads:
        thread.join(max(0.0, end - time.monotonic()))
    late = [Finding(Level.UNKNOWN, "There was no answer in time.")]
    return [Result(check, findings.get(check.name, late)) for check in chosen]


def _make(check: Check, values: Values, machine: Machine, findings: dict[str, Sequence[Finding]]) -> None:
    try:
        findings[check.name] = check.look(values, machine)
    except OSError as error:
        reason = error.strerror or error
        findings[check.name] = [Finding(Level.UNKNOWN, f"It could not be found out: {reason}.")]
