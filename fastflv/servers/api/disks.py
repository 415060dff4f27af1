"""Load of block devices, for /api/v1/summaries (`stats { disk }`)."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from fastflv import limits

SECTOR: Final = 512
"Bytes of a sector in /proc/diskstats, whatever the device has (kernel, Documentation/admin-guide/iostats.rst)."


@dataclass(frozen=True, slots=True)
class DiskUse:
    """Use of the devices between two samples."""

    read_kbyte: int = 0
    "KiB read a second, all devices together."

    written_kbyte: int = 0
    "KiB written a second, all devices together."

    busy: float = 0.0
    "Part of the time in which a device had something to do, 0 to 1, mean of the devices."


class _Counters(NamedTuple):
    read: int
    "Sectors."
    written: int
    "Sectors."
    busy: int
    "Milliseconds."


class DiskMeter:
    """Use of block devices between two askings."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic, path: str = "/proc/diskstats") -> None:
        self._clock = clock
        self._path = path
        self._taken = clock()
        self._devices: tuple[str, ...] = ()
        self._counters: dict[str, _Counters] = {}
        self._use = DiskUse()

    def use(self, devices: Sequence[str]) -> DiskUse:
        """Return the use of *devices* since the last asking; soon after it the same again.

        Devices that are not there count as idle; the first asking for others than before returns 0.
        """
        if not devices:
            return DiskUse()
        now = self._clock()
        if tuple(devices) != self._devices:
            self._devices, self._taken, self._use = tuple(devices), now, DiskUse()
            self._counters = self._read()
        passed = now - self._taken
        if passed >= limits.MACHINE_SAMPLE_SECONDS:
            counters = self._read()
            past = [(counters[name], self._counters[name]) for name in counters if name in self._counters]
            self._use = DiskUse(
                round(sum(new.read - old.read for new, old in past) * SECTOR / 1024 / passed),
                round(sum(new.written - old.written for new, old in past) * SECTOR / 1024 / passed),
                sum(min((new.busy - old.busy) / 1000 / passed, 1.0) for new, old in past) / len(devices),
            )
            self._counters, self._taken = counters, now
        return self._use

    def _read(self) -> dict[str, _Counters]:
        found = {}
        with suppress(OSError):
            for line in Path(self._path).read_text("ascii", "replace").splitlines():
                fields = line.split()
                if len(fields) > 12 and fields[2] in self._devices:
                    found[fields[2]] = _Counters(int(fields[5]), int(fields[9]), int(fields[12]))
        return found
