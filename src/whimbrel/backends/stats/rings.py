"""Samples over a year in files of fixed size, each coarser than the one before and reaching further back.

    20 s for 2 hours, 2 min for a day, 15 min for a week, 1 h for 30 days, 6 h for a year and more

A sample is added to the step it belongs to, in each file. The place of a step follows from its time, so a restart, a
clock that jumps and a file that was away need no care: a place whose record is of another time is empty, a gap. Numbers
are added up and gauges averaged, so a coarse step is what fine ones together are; percentiles come of added histograms.
A record that a power cut tore fails its checksum and is a gap too.

    file    head: magic, names of the numbers (JSON)     8 pages
            records: time, samples, checksum, numbers    all of the same size
"""

import json
import os
import struct
import sys
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

MAGIC: Final = b"WHMRING1"
HEAD: Final = 32 * 1024
_SIZES: Final = struct.Struct("<8sII")
"""Magic, octets of the names, checksum of the names."""
_RECORD: Final = struct.Struct("<qII")
"""Time, samples, checksum."""
_CHECKED: Final = 12
"""Octets of a record's head before its checksum."""


@dataclass(frozen=True, slots=True)
class Tier:
    step: int
    """Seconds."""
    count: int

    @property
    def reach(self) -> int:
        return self.step * self.count


TIERS: Final = (Tier(20, 360), Tier(120, 720), Tier(900, 672), Tier(3600, 720), Tier(21_600, 1472))


@dataclass(frozen=True, slots=True)
class Step:
    """What one step of a file holds. `samples`: how many were added up."""

    time: int
    samples: int
    values: Sequence[float]


class Ring:
    """One file. Its methods read and write the disk. OSError"""

    def __init__(self, path: Path, tier: Tier, columns: Sequence[str]) -> None:
        self._path, self.tier, self._columns = path, tier, tuple(columns)
        self._size = _RECORD.size + 4 * len(columns)

    def add(self, at: float, values: Mapping[str, float]) -> None:
        """Adds a sample to the step that `at` lies in."""
        time = int(at) // self.tier.step * self.tier.step
        descriptor = self._open()
        try:
            place = self._place(time)
            step = self._decoded(os.pread(descriptor, self._size, place))
            before = step.values if step is not None and step.time == time else [0.0] * len(self._columns)
            samples = step.samples if step is not None and step.time == time else 0
            sums = [old + values.get(name, 0.0) for old, name in zip(before, self._columns, strict=True)]
            os.pwrite(descriptor, self._encoded(Step(time, samples + 1, sums)), place)
        finally:
            os.close(descriptor)

    def read(self, start: float, end: float) -> list[Step]:
        """The steps from `start` to before `end` of which something is known, oldest first."""
        if not self._path.exists():
            return []
        descriptor = self._open()
        try:
            raw = os.pread(descriptor, self._size * self.tier.count, HEAD)
        finally:
            os.close(descriptor)
        steps = []
        for place in range(0, len(raw) - self._size + 1, self._size):
            step = self._decoded(raw[place : place + self._size])
            if step is not None and start <= step.time < end and self._place(step.time) == HEAD + place:
                steps.append(step)
        return sorted(steps, key=lambda step: step.time)

    # Inside

    def _place(self, time: int) -> int:
        return HEAD + time // self.tier.step % self.tier.count * self._size

    def _encoded(self, step: Step) -> bytes:
        numbers = array("f", step.values)
        if sys.byteorder == "big":
            numbers.byteswap()
        raw = numbers.tobytes()
        head = _RECORD.pack(step.time, step.samples, 0)[:_CHECKED]
        return _RECORD.pack(step.time, step.samples, crc32(raw, crc32(head))) + raw

    def _decoded(self, raw: bytes) -> Step | None:
        if len(raw) != self._size:
            return None
        time, samples, checksum = _RECORD.unpack_from(raw)
        if not samples or checksum != crc32(raw[_RECORD.size :], crc32(raw[:_CHECKED])):
            return None
        numbers = array("f", raw[_RECORD.size :])
        if sys.byteorder == "big":
            numbers.byteswap()
        return Step(time, samples, numbers.tolist())

    def _open(self) -> int:
        """The descriptor of the file, whole and of our columns: one of others is made over, one that is none begun."""
        if not self._path.exists():
            self._make([])
        descriptor = os.open(self._path, os.O_RDWR | os.O_CLOEXEC)
        try:
            names = _names(descriptor)
            if names == self._columns:
                return descriptor
            self._make(self._kept(descriptor, names))
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        return os.open(self._path, os.O_RDWR | os.O_CLOEXEC)

    def _kept(self, descriptor: int, names: tuple[str, ...] | None) -> list[Step]:
        """What a file of another release holds, in our columns."""
        if names is None:
            return []
        other = Ring(self._path, self.tier, names)
        raw = os.pread(descriptor, other._size * self.tier.count, HEAD)
        steps = (other._decoded(raw[at : at + other._size]) for at in range(0, len(raw), other._size))
        places = {name: number for number, name in enumerate(names)}
        return [
            Step(step.time, step.samples, [step.values[places[n]] if n in places else 0.0 for n in self._columns])
            for step in steps
            if step is not None
        ]

    def _make(self, steps: Sequence[Step]) -> None:
        """A new file in the place of the old one, whole or not at all."""
        names = json.dumps(self._columns).encode()
        if len(names) + _SIZES.size > HEAD:
            raise ValueError("too many numbers")
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        beside = self._path.with_name(f".{self._path.name}.new")
        with open(beside, "wb") as file:
            file.write(_SIZES.pack(MAGIC, len(names), crc32(names)) + names)
            for step in steps:
                file.seek(self._place(step.time))
                file.write(self._encoded(step))
            file.truncate(HEAD + self._size * self.tier.count)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, self._path)


def _names(descriptor: int) -> tuple[str, ...] | None:
    """Which numbers a file has; None: it is not one of ours."""
    head = os.pread(descriptor, HEAD, 0)
    if len(head) < _SIZES.size:
        return None
    magic, size, checksum = _SIZES.unpack_from(head)
    names = head[_SIZES.size : _SIZES.size + size]
    if magic != MAGIC or crc32(names) != checksum:
        return None
    return tuple(json.loads(names))
