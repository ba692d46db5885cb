"""100 users and random clients for ten minutes: memory must not grow, the store must be clean, the models equal.

The slope is that of the least-squares line through the memory (PSS) of all processes after the third minute.
"""

import threading
import time

from bench.measure import pss_bytes
from bench.report import Line
from bench.roots import fresh
from tests.support.server import SERVICES, command, free_ports, serving, set_up
from tests.support.soak import soak

USERS, MINUTES, WARM = 100, 10.0, 3.0
_MB = 1 << 20


def measure(_pairs: int, minutes: float = MINUTES) -> list[Line]:
    """One run; the number of pairs does not count."""
    directory = fresh() / "whimbrel"
    set_up(directory, USERS, free_ports(SERVICES), {"security/lock-out-after": "0"})
    samples: list[tuple[float, float]] = []
    with serving(directory) as server:
        begun, over = time.monotonic(), threading.Event()

        def sample() -> None:
            while not over.wait(5):
                samples.append(((time.monotonic() - begun) / 60, pss_bytes([server.pid]) / _MB))

        sampler = threading.Thread(target=sample, daemon=True)
        sampler.start()
        users = [f"user{number}@example.test" for number in range(1, USERS + 1)]
        found = soak(server, users, seconds=minutes * 60, clients=8, seed=int(begun), pause=0.05)
        over.set()
        sampler.join()
        problems = 0
        try:
            command(directory, "store", "check", "--all")
        except RuntimeError as error:
            problems = 1
            print(error)
    for difference in found.differences:
        print(difference)
    after = [point for point in samples if point[0] > WARM * minutes / MINUTES]
    print(f"  {found.visits} visits, {found.commands} commands; memory "
          + " ".join(f"{size:.0f}" for _, size in samples[:: max(1, len(samples) // 20)]))  # fmt: skip
    return [
        Line("soak, memory slope", f"{max(size for _, size in samples):.0f} MB at most", "", _slope(after), 1.0, False,
             " MB/min"),
        Line("soak, differences from models", f"{found.commands} commands", "", len(found.differences), 0, False, ""),
        Line("soak, store check", "clean" if not problems else "problems", "", problems, 0, False, ""),
    ]  # fmt: skip


def _slope(points: list[tuple[float, float]]) -> float:
    count = len(points)
    middle_x, middle_y = sum(x for x, _ in points) / count, sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
