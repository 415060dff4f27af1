"""Clips with B-frames and a GOP of the length that is asked for, made once and kept in the cache."""

from __future__ import annotations

from pathlib import Path

from benchmarks.fanout.clip import FRAME_RATE, VIDEO_KBIT, Clip, make, read
from benchmarks.fanout.errors import BenchError

SECONDS = 20  # whole GOPs of 2, 4 and 10 s: the clip is replayed in a loop
B_FRAMES = 2


def cached(cache: Path, gop: int) -> Clip:
    """Return the clip with a keyframe each *gop* seconds."""
    if SECONDS % gop:
        raise BenchError(f"a GOP of {gop} s: the clip's {SECONDS} s must be a whole number of GOPs")
    path = cache / f"clip-{SECONDS}s-{VIDEO_KBIT}k-gop{gop}-b{B_FRAMES}.flv"
    if not path.exists():
        make(path, SECONDS, gop * FRAME_RATE, "-profile:v", "main", "-bf", str(B_FRAMES), "-b_strategy", "0")
    return read(path)
