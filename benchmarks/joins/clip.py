"""Clips with B-frames and a GOP of the length that is asked for, made once and kept in the cache."""

from __future__ import annotations

import subprocess
from pathlib import Path

from benchmarks.fanout.clip import AUDIO_KBIT, FRAME_RATE, VIDEO_KBIT, Clip, ffmpeg_path, read
from benchmarks.fanout.errors import BenchError

SECONDS = 20  # whole GOPs of 2, 4 and 10 s: the clip is replayed in a loop
B_FRAMES = 2


def make(path: Path, gop: int) -> None:
    """Encode a moving, noisy picture and a tone; *gop* in seconds."""
    picture = f"testsrc2=size=640x360:rate={FRAME_RATE}:duration={SECONDS},noise=alls=12:allf=t"
    tone = f"sine=frequency=440:sample_rate=44100:duration={SECONDS}"
    frames = str(gop * FRAME_RATE)
    part = path.with_suffix(".part.flv")
    # fmt: off
    command = [
        ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone,
        "-c:v", "libx264", "-profile:v", "main", "-preset", "veryfast", "-pix_fmt", "yuv420p",
        "-g", frames, "-keyint_min", frames, "-sc_threshold", "0", "-bf", str(B_FRAMES), "-b_strategy", "0",
        "-b:v", f"{VIDEO_KBIT}k", "-maxrate", f"{VIDEO_KBIT}k", "-bufsize", f"{VIDEO_KBIT}k",
        "-c:a", "aac", "-b:a", f"{AUDIO_KBIT}k", "-ac", "2", "-flvflags", "no_duration_filesize",
        "-f", "flv", str(part),
    ]
    # fmt: on
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"ffmpeg could not make the clip: {done.stderr.strip().splitlines()[-1:]}")
    part.rename(path)


def cached(cache: Path, gop: int) -> Clip:
    """Return the clip with a keyframe each *gop* seconds."""
    if SECONDS % gop:
        raise BenchError(f"a GOP of {gop} s: the clip's {SECONDS} s must be a whole number of GOPs")
    path = cache / f"clip-{SECONDS}s-{VIDEO_KBIT}k-gop{gop}-b{B_FRAMES}.flv"
    if not path.exists():
        make(path, gop)
    return read(path)
