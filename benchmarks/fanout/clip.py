"""The clip that is published: made once with ffmpeg, kept in the cache, read back for its true bit rate."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from benchmarks.fanout.errors import BenchError

STAMP_BYTES = 48  # what the publisher adds to each video frame: native/stamp.h
TAG_BYTES = 15  # FLV tag header and back pointer
SECONDS = 20  # ten GOPs
FRAME_RATE = 25
GOP_FRAMES = 50
VIDEO_KBIT = 420  # with 64 of audio and tag framing about 500 kbit/s on the wire
AUDIO_KBIT = 64
THIN_KBIT = 16
FAT_KBIT = 19_900  # 20 Mbit/s on the wire


@dataclass(frozen=True, slots=True)
class Clip:
    """A clip on disk and what one publisher of it sends."""

    path: Path
    "The FLV file."

    bits_per_second: float
    "FLV bytes on the wire of a player, stamps included, HTTP framing not."

    keyframe_bytes: int
    "Size of the largest keyframe tag."


def ffmpeg_path() -> str:
    """Return the ffmpeg that comes with imageio-ffmpeg."""
    try:
        import imageio_ffmpeg
    except ImportError:
        raise BenchError("imageio-ffmpeg is missing: pip install '.[bench]'") from None
    return str(imageio_ffmpeg.get_ffmpeg_exe())


def make(
    path: Path, seconds: int, gop_frames: int, *coding: str, size: str = "640x360", kbit: int = VIDEO_KBIT
) -> None:
    """Encode a moving, noisy picture (so that the encoder needs all its bits) and a tone. *coding*: options of x264."""
    picture = f"testsrc2=size={size}:rate={FRAME_RATE}:duration={seconds},noise=alls=12:allf=t"
    tone = f"sine=frequency=440:sample_rate=44100:duration={seconds}"
    part = path.with_suffix(".part.flv")
    # fmt: off
    command = [
        ffmpeg_path(), "-v", "error", "-y", "-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone,
        "-c:v", "libx264", "-preset", "veryfast", "-pix_fmt", "yuv420p", *coding,
        "-g", str(gop_frames), "-keyint_min", str(gop_frames), "-sc_threshold", "0",
        "-b:v", f"{kbit}k", "-maxrate", f"{kbit}k", "-bufsize", f"{kbit}k",
        "-c:a", "aac", "-b:a", f"{AUDIO_KBIT}k", "-ac", "2", "-flvflags", "no_duration_filesize",
        "-f", "flv", str(part),
    ]
    # fmt: on
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise BenchError(f"ffmpeg could not make the clip: {done.stderr.strip().splitlines()[-1:]}")
    part.rename(path)


def read(path: Path) -> Clip:
    """Walk the tags of an FLV file as the publisher will replay it."""
    data = path.read_bytes()
    at, frames, total, keyframe = 13, 0, 0, 0
    while at + 11 <= len(data):
        kind, size = data[at], int.from_bytes(data[at + 1 : at + 4], "big")
        body = data[at + 11 : at + 11 + size]
        at += size + TAG_BYTES
        if kind == 18 or len(body) < 2 or body[1] == 0 or (kind == 9 and body[1] != 1):
            continue
        total += size + TAG_BYTES
        if kind == 9:
            frames += 1
            total += STAMP_BYTES
            if body[0] >> 4 == 1:
                keyframe = max(keyframe, size + TAG_BYTES + STAMP_BYTES)
    if frames < 2:
        raise BenchError(f"{path.name}: no video frames")
    return Clip(path, total * 8 * FRAME_RATE / frames, keyframe)


def cached(cache: Path) -> Clip:
    """Return the clip, making it on first use (a few seconds)."""
    return _kept(cache, "640x360", VIDEO_KBIT)


def fat(cache: Path) -> Clip:
    """Return a clip of 20 Mbit/s, making it on first use (half a minute)."""
    return _kept(cache, "1920x1080", FAT_KBIT)


def thin(cache: Path) -> Clip:
    """Return a clip of some 90 kbit/s, most of it sound, for many streams at once."""
    return _kept(cache, "160x90", THIN_KBIT)


def _kept(cache: Path, size: str, kbit: int) -> Clip:
    path = cache / f"clip-{SECONDS}s-{kbit}k.flv"
    if not path.exists():
        make(path, SECONDS, GOP_FRAMES, "-profile:v", "baseline", "-bf", "0", size=size, kbit=kbit)
    return read(path)
