"""50,000 users in users.cfg: one change until it is acknowledged, and looking one up, cold and warm.

Changes come one after the other for seconds, so that users.cfg is written several times between them, as in a server.
"""

import asyncio
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

from bench.report import Line, spread
from whimbrel.backends.directory.editor import DirectoryFile
from whimbrel.backends.directory.reader import IndexDirectory
from whimbrel.backends.disk.pool import ThreadPool
from whimbrel.core.address import Address
from whimbrel.core.directory import DirectoryChange, Kind, Op
from whimbrel.services.admin.people.records import RECORDS

USERS = 50_000
HOST = "example.org"
CHANGES = 100
VERIFIER = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


def measure(runs: int) -> list[Line]:
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        folder = Path(name)
        size = _make(folder / "users.cfg")
        changes = asyncio.run(_changes(folder, runs))
        cold, warm = asyncio.run(_lookups(folder / "users.idx", runs))
    late = quantiles(changes, n=100)[98]
    what = f"{USERS} users, {size / 1e6:.1f} MB"
    return [
        Line(f"{what}: one change", spread(changes, ".1f"), "", median(changes), 10, False, " ms"),
        Line(f"{what}: 99 of 100 changes", f"{late:.1f}", "", late, 100, False, " ms"),
        Line(f"{what}: a look-up, cold", spread(cold, ".2f"), "", median(cold), 10, False, " ms"),
        Line(f"{what}: a look-up, warm", spread(warm, ".4f"), "", median(warm), 0.1, False, " ms"),
    ]


def _make(path: Path) -> int:
    """Writes the file; its size."""
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<users version="1.0">\n  <domain name="{HOST}">\n']
    parts.append("    <primary>yes</primary>\n")
    parts += [
        f'    <user name="user{n}">\n      <full-name>User number {n}</full-name>\n'
        f"      <password>{VERIFIER}</password>\n      <alias>alias{n}</alias>\n      <quota>5G</quota>\n    </user>\n"
        for n in range(USERS)
    ]
    path.write_text("".join([*parts, "  </domain>\n</users>\n"]))
    return path.stat().st_size


async def _changes(folder: Path, runs: int) -> list[float]:
    """Milliseconds of each."""
    pool = ThreadPool(4)
    editor = DirectoryFile(folder / "users.cfg", folder / "users.idx", records=RECORDS, pool=pool)
    await pool.run(editor.open)
    found = []
    for turn in range(CHANGES * runs):
        user = turn * 7919 % USERS
        step = [
            DirectoryChange(Op.SET, Kind.USER, HOST, f"user{user}", {"quota": f"{turn + 6}G"}),
            DirectoryChange(Op.ADD, Kind.USER, HOST, f"new{turn}", {"password": VERIFIER}),
        ][turn % 2]
        begun = time.perf_counter()
        await editor.change([step])
        found.append(1000 * (time.perf_counter() - begun))
        await asyncio.sleep(0.01)
    await pool.run(editor.close)
    pool.close()
    assert f"new{CHANGES * runs - 1}" in (folder / "users.cfg").read_text()
    return found


async def _lookups(index: Path, runs: int) -> tuple[list[float], list[float]]:
    """Milliseconds of the first question to a process, and of one that was asked before."""
    cold, warm = list[float](), list[float]()
    for turn in range(20 * runs):
        directory = IndexDirectory(index)
        address = Address.parse(f"alias{turn * 7919 % USERS}@{HOST}")
        for found in (cold, warm):
            begun = time.perf_counter()
            target = await directory.resolve(address)
            found.append(1000 * (time.perf_counter() - begun))
            assert target is not None
        directory.close()
    return cold, warm
