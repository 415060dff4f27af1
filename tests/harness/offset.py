"""Where the pictures and sounds of a recording stand beside those of its source, by what they are, not by their numbers."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import NamedTuple

from clip import ffmpeg
from patience import patient


class Frame(NamedTuple):
    """A decoded picture, or a coded frame of sound."""

    time: float
    "Presentation time, ms."

    hash: str


class Offset(NamedTuple):
    """How a recording stands to its source, ms."""

    pictures: list[float]
    "Time in the recording minus time in the source, of each picture found in both."

    sounds: list[float]

    @property
    def jitter(self) -> float:
        """The most that frames of one kind are moved against each other."""
        return max(max(shifts) - min(shifts) for shifts in self if shifts)

    @property
    def lips(self) -> float:
        """How much later the sound is, beside the pictures, than it was in the source."""
        return sum(self.sounds) / len(self.sounds) - sum(self.pictures) / len(self.pictures)


def frames(path: Path, kind: str) -> list[Frame]:
    """Decode the pictures (`v`), or read the packets of sound (`a`); a complaint of ffmpeg is an AssertionError."""
    words = [ffmpeg(), "-v", "error", "-xerror", "-copyts", "-i", str(path), "-map", f"0:{kind}:0"]
    # Sound is compared as it is coded: what is decoded first depends on what was before it. mpegts.js marks none
    # of it as a place to start.
    words += (
        ["-fps_mode", "passthrough", "-enc_time_base", "demux"]
        if kind == "v"
        else ["-c", "copy", "-copyinkf", "-bsf:a", "aac_adtstoasc"]
    )
    done = subprocess.run(
        [*words, "-f", "framemd5", "-"], capture_output=True, text=True, timeout=patient(120)
    )
    assert done.returncode == 0 and not done.stderr, f"{path}: {done.stderr}"
    lines = done.stdout.splitlines()
    base = next((line.split()[2] for line in lines if line.startswith("#tb 0")), "1/1")
    top, bottom = map(int, base.split("/"))
    rows = [line.replace(",", " ").split() for line in lines if not line.startswith("#")]
    return [Frame(1000 * int(row[2]) * top / bottom, row[5]) for row in rows]


def shifts(source: list[Frame], recorded: list[Frame]) -> list[float]:
    """The difference of each frame that is once in the source and in the recording."""
    times: dict[str, list[float]] = {}
    for frame in source:
        times.setdefault(frame.hash, []).append(frame.time)
    return [frame.time - times[frame.hash][0] for frame in recorded if len(times.get(frame.hash, ())) == 1]
