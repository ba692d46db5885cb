"""One table: what was measured, what was to be reached, PASS or BELOW."""

from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Line:
    """One target of the mission. `better` says which way is good."""

    name: str
    ours: str
    peer: str
    figure: float
    target: float
    higher_is_better: bool = True
    unit: str = "x"

    @property
    def passed(self) -> bool:
        return self.figure >= self.target if self.higher_is_better else self.figure <= self.target


def ratio(ours: list[float], peer: list[float]) -> float:
    """Median of the ratios of alternating pairs."""
    return median(a / b for a, b in zip(ours, peer, strict=True))


def spread(values: list[float], form: str) -> str:
    return f"{format(median(values), form)} ({format(min(values), form)} to {format(max(values), form)})"


def show(lines: list[Line]) -> bool:
    """Prints the table; True if all passed."""
    table = Table("measured", "Whimbrel", "peer", "figure", "to reach", "")
    for line in lines:
        sign = "at least" if line.higher_is_better else "at most"
        verdict = "PASS" if line.passed else "BELOW"
        table.add_row(
            line.name,
            line.ours,
            line.peer,
            f"{line.figure:.2f}{line.unit}",
            f"{sign} {line.target:g}{line.unit}",
            verdict,
        )
    Console(width=160).print(table)
    return all(line.passed for line in lines)
