"""ffplay and VLC without a screen: how far behind the publisher they show, and what they complain of."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks.fanout.errors import BenchError

FFPLAY_SECONDS = 14.0  # from the start of the program; it probes a live FLV for 5 s before it shows anything
VLC_SECONDS = 20.0  # likewise; it buffers 10 s of media
STUCK_S = 0.3  # ffplay's clock standing still for longer is a stall
STATUS = re.compile(r"\s*(nan|-?[\d.]+) +(?:[AMV]-[AMV])?: *(-?[\d.]+|nan) +fd= *(\d+)")
NO_SCREEN = "hardware accelerated renderer"
VLC_BUFFERED = re.compile(r"Stream buffering done \((\d+) ms in (\d+) ms\)")
VLC_SIGNS = {
    "late pictures": re.compile(r"too late to be displayed|late frames, dropping"),
    "clock resets": re.compile(r"called too late|clock gap|timestamp conversion failed", re.I),
    "sound out of time": re.compile(r"playback too (late|early)|inserting .* zeroes|buffer too late", re.I),
    "decoder errors": re.compile(
        r"error while decoding|concealing|non-existing PPS|reference picture missing", re.I
    ),
}


@dataclass(frozen=True, slots=True)
class Shown:
    """What one run of one player told."""

    complaints: tuple[str, ...]
    first_s: float | None = None
    "From the start of the program to the first moved clock (ffplay) or a full buffer (VLC)."

    clock: tuple[tuple[int, float], ...] = field(default=(), repr=False)
    "(CLOCK_MONOTONIC ns, position in the stream in seconds), ffplay only."

    stalls: int = 0
    dropped: int = 0


def find(program: str) -> str:
    """Path of a player."""
    found = shutil.which(program)
    if found is None:
        raise BenchError(f"no {program} here")
    return found


def watched(command: list[str], seconds: float, log: Path, **options: Any) -> Iterator[tuple[int, str]]:
    """Run a program for a while; yield when it said each line (CLOCK_MONOTONIC, ns)."""
    end = time.monotonic() + seconds
    with (
        log.open("w") as out,
        subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, **options
        ) as process,
    ):
        assert process.stderr
        os.set_blocking(process.stderr.fileno(), False)
        rest = b""
        try:
            while time.monotonic() < end and process.poll() is None:
                time.sleep(0.01)
                rest += process.stderr.read() or b""
                *whole, rest = re.split(rb"[\r\n]+", rest)
                for line in (piece.decode(errors="replace").strip() for piece in whole):
                    print(time.monotonic_ns(), line, file=out)
                    yield time.monotonic_ns(), line
            if process.poll() is not None:
                yield time.monotonic_ns(), f"ended by itself with code {process.returncode}"
        finally:
            process.terminate()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()


def stuck(clock: list[tuple[int, float]]) -> int:
    """Count the times when the clock stood still for longer than `STUCK_S`."""
    count, since, counted = 0, clock[0][0] if clock else 0, False
    for (_, before), (now, position) in pairwise(clock):
        if position > before:
            since, counted = now, False
        elif not counted and now - since > STUCK_S * 1e9:
            count, counted = count + 1, True
    return count


def ffplay(url: str, log: Path) -> Shown:
    """Play for a while with ffplay's defaults, its window and sound going nowhere."""
    # By its own name it would be taken for a tool that records.
    agent = ["-user_agent", "ffplay"]
    command = [find("ffplay"), "-hide_banner", "-v", "warning", "-stats", "-autoexit", *agent, url]
    where = {**os.environ, "SDL_VIDEODRIVER": "dummy", "SDL_AUDIODRIVER": "dummy"}
    clock: list[tuple[int, float]] = []
    lines: list[str] = []
    dropped = 0
    begun = time.monotonic_ns()
    for now, line in watched(command, FFPLAY_SECONDS, log, env=where):
        status = STATUS.match(line)
        if status and status[1] != "nan":
            clock.append((now, float(status[1])))
            dropped = int(status[3])
        elif not status and line and NO_SCREEN not in line:
            lines.append(line)
    moved = next((i for i, (a, b) in enumerate(pairwise(clock), 1) if b[1] > a[1]), None)
    if moved is None:
        return Shown((*lines, "it showed nothing"), None, (), 0, dropped)
    return Shown(
        tuple(lines), (clock[moved][0] - begun) / 1e9, tuple(clock[moved:]), stuck(clock[moved:]), dropped
    )


def vlc(url: str, log: Path) -> Shown:
    """Play for a while with VLC's defaults, picture and sound going nowhere."""
    command = [
        find("cvlc"),
        "-vv",
        "--no-color",
        "--vout",
        "vdummy",
        "--aout",
        "adummy",
        "--no-one-instance",
        url,
    ]
    user = {"user": pwd.getpwnam("nobody").pw_uid} if os.getuid() == 0 else {}  # it refuses to run as root
    home = {**os.environ, "HOME": "/nonexistent"}
    count: Counter[str] = Counter()
    last: dict[str, int] = {}
    buffered: list[int] = []
    complaints: list[str] = []
    begun = time.monotonic_ns()
    for now, line in watched(command, VLC_SECONDS, log, env=home, **user):
        if VLC_BUFFERED.search(line):
            buffered.append(now)
        if line.startswith("ended by itself"):
            complaints.append(line)
        for what, sign in VLC_SIGNS.items():
            if sign.search(line):
                count[what] += 1
                last[what] = now
    if not buffered:
        return Shown((*complaints, "it showed nothing"))
    complaints += [
        f"{n} x {what}, the last {(last[what] - buffered[0]) / 1e9:.1f} s after play began"
        for what, n in count.items()
    ]
    return Shown(
        tuple(complaints), (buffered[0] - begun) / 1e9, (), len(buffered) - 1, count["late pictures"]
    )
