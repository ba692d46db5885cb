"""`make bench`: side by side with the peer, alternating, on an otherwise idle machine.

Names choose benchmarks (`python -m bench smtp_in`); `--pairs N` the number of alternating pairs (5).
"""

import argparse
import os
import sys

from bench import (
    console,
    directory,
    dkim,
    idle,
    imap,
    logs,
    pop3,
    queue_big,
    shapes,
    slow_clients,
    smtp_in,
    smtp_out,
    soak,
)
from bench.report import Line, show

BENCHMARKS = {
    "pop3": pop3.measure,
    "smtp_in": smtp_in.measure,
    "smtp_out": smtp_out.measure,
    "smtp_large": shapes.measure_large,
    "local_fanout": shapes.measure_fan_out,
    "idle": idle.measure,
    "imap": imap.measure,
    "soak": soak.measure,
    "slow_clients": slow_clients.measure,
    "logs": logs.measure,
    "queue_big": queue_big.measure,
    "directory": directory.measure,
    "dkim": dkim.measure,
    "console": console.measure,
}


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[[], *BENCHMARKS], help="which; all unless given")
    parser.add_argument("--pairs", type=int, default=5)
    options = parser.parse_args()
    if os.getloadavg()[0] > 0.5:
        print(f"The machine is not idle (load {os.getloadavg()[0]:.1f}): the figures will not be worth much.")
    lines: list[Line] = []
    for name in options.names or BENCHMARKS:
        print(f"{name} ...", flush=True)
        lines += BENCHMARKS[name](options.pairs)
    return 0 if show(lines) else 1


if __name__ == "__main__":
    sys.exit(main())
