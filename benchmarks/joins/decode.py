"""Does ffmpeg decode what a player received?"""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.clip import ffmpeg_path

PACKET = 188  # bytes of a TS packet
WORKERS = 2
PASSTHROUGH = ("-fps_mode", "passthrough", "-enc_time_base", "demux")
NOT_DECODING = (
    "non monotonically increasing dts to muxer",
    "Last message repeated",
)  # of frames closer than 1/fps


@dataclass(frozen=True, slots=True)
class Decoded:
    """How many captures ffmpeg decoded without a complaint."""

    files: int = 0
    passthrough: int = 0
    "Each frame at its own time."

    default: int = 0
    "With ffmpeg's own choice of frame mode."

    complaint: str = ""
    "The first."


def whole_flv(data: bytes) -> bytes:
    """Return the file without a last tag that was cut."""
    at = 13
    while at + 11 <= len(data):
        end = at + 15 + int.from_bytes(data[at + 1 : at + 4], "big")
        if end > len(data):
            break
        at = end
    return data[:at]


def whole_ts(data: bytes) -> bytes:
    """Return the stream without the last unit: whether it is whole only the next one's start would tell."""
    at = len(data) // PACKET * PACKET
    while at > 0:
        at -= PACKET
        pid = int.from_bytes(data[at + 1 : at + 3], "big") & 0x1FFF
        if data[at + 1] & 0x40 and pid >= 0x20 and b"\0\0\1" in data[at + 4 : at + PACKET]:
            break
    return data[:at]


def complaint(path: Path, *outputs: tuple[str, ...]) -> str:
    """Decode all of it to nowhere, once for each output; return what ffmpeg has to say, or an empty text."""
    command = [ffmpeg_path(), "-nostdin", "-v", "error", "-xerror", "-threads", "1", "-i", str(path)]
    for options in outputs:
        command += ["-map", "0:v?", "-map", "0:a?", *options, "-f", "null", "-"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=60)
    except subprocess.TimeoutExpired:
        return "ffmpeg did not come to an end"
    lines = [
        line for line in done.stderr.splitlines() if line.strip() and not any(w in line for w in NOT_DECODING)
    ]
    return lines[0] if lines else "" if done.returncode == 0 else f"exit code {done.returncode}"


def _both(path: Path) -> tuple[str, str]:
    cut = whole_ts if path.suffix == ".ts" else whole_flv
    path.write_bytes(cut(path.read_bytes()))
    if not complaint(path, PASSTHROUGH, ()):
        return "", ""
    return complaint(path, PASSTHROUGH), complaint(path, ())


def decode(paths: Iterable[Path]) -> Decoded:
    """Decode captures; they are cut to whole tags or units first."""
    with ThreadPoolExecutor(WORKERS) as pool:
        found = list(pool.map(_both, sorted(paths)))
    first = next((text for pair in found for text in pair if text), "")
    return Decoded(len(found), sum(not a for a, _ in found), sum(not b for _, b in found), first)
