"""Small clips made by a real ffmpeg, and ffmpeg itself as publisher and as judge."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import imageio_ffmpeg
from flvread import FlvReader, read_flv
from patience import patient


@cache
def ffmpeg() -> str:
    """Path of the binary."""
    return str(imageio_ffmpeg.get_ffmpeg_exe())


@cache
def encoders() -> frozenset[str]:
    """Names of the encoders in the binary."""
    text = subprocess.run(
        [ffmpeg(), "-hide_banner", "-encoders"], capture_output=True, text=True, check=True
    ).stdout
    return frozenset(line.split()[1] for line in text.splitlines() if len(line.split()) > 1)


@dataclass(frozen=True)
class Form:
    """How a clip is coded; the words go to ffmpeg."""

    name: str
    video: str = ""
    audio: str = ""
    seconds: float = 2.0
    size: str = "320x180"
    more: str = ""
    sound: str = "sine=frequency=440:sample_rate=48000"
    "What lavfi is asked for."

    @property
    def needs(self) -> tuple[str, ...]:
        """Encoders."""
        return tuple(words.split()[0] for words in (self.video, self.audio) if words)

    @property
    def flags(self) -> int:
        """What the FLV header must say."""
        return 4 * bool(self.audio) + bool(self.video)


X264 = "libx264 -preset ultrafast -pix_fmt yuv420p -profile:v main -bf 2 -g 20 -keyint_min 20 -sc_threshold 0"
H264 = Form("h264_aac", X264, "aac -ar 44100 -ac 2 -b:a 64k")
TEN_SECONDS = Form("h264_ten_seconds", X264, "aac -ar 44100 -ac 2 -b:a 64k", seconds=10)
FORMS = (
    H264,
    Form("h264_mp3", X264, "libmp3lame -ar 44100 -b:a 64k"),
    Form(
        "hevc_aac",
        "libx265 -preset ultrafast -pix_fmt yuv420p -x265-params keyint=20:log-level=none",
        "aac -ar 48000",
    ),
    Form("av1_opus", "libsvtav1 -preset 12 -g 20 -svtav1-params lookahead=0", "libopus -ar 48000 -b:a 64k"),
    Form("vp9_opus", "libvpx-vp9 -deadline realtime -cpu-used 8 -g 20", "libopus -ar 48000 -b:a 64k"),
    Form("h264_flac", X264, "flac -ar 44100 -sample_fmt s16"),
    Form("h264_ac3", X264, "ac3 -ar 48000 -b:a 96k"),
    Form("h264_eac3", X264, "eac3 -ar 48000 -b:a 96k"),
    Form("h264_alaw", X264, "pcm_alaw -ar 8000 -ac 1"),
    Form("h264_mulaw", X264, "pcm_mulaw -ar 8000 -ac 1"),
    Form("h264_two_tracks", X264, "aac -ar 44100 -b:a 64k", more="-map 0:v -map 1:a -map 1:a"),
    Form("audio_only", "", "aac -ar 44100 -ac 1 -b:a 64k"),
    Form("mp3_only", "", "libmp3lame -ar 44100 -b:a 64k"),
    Form("video_only", X264, ""),
)


@dataclass(frozen=True)
class Clip:
    """A clip as a file, and its tags."""

    form: Form
    path: Path
    flv: FlvReader


def make(form: Form, folder: Path) -> Clip | None:
    """Encode a clip, once per folder; None when this ffmpeg cannot."""
    path = folder / f"{form.name}.flv"
    if not path.exists():
        if not set(form.needs) <= encoders():
            return None
        words = [ffmpeg(), "-v", "error", "-y"]
        if form.video:
            words += ["-f", "lavfi", "-i", f"testsrc2=size={form.size}:rate=20"]
        if form.audio:
            words += ["-f", "lavfi", "-i", form.sound]
        if form.video:
            words += ["-c:v", *form.video.split(), "-b:v", "200k"]
        if form.audio:
            words += ["-c:a", *form.audio.split()]
        raw = path.with_suffix(".raw.flv")
        words += [*form.more.split(), "-t", str(form.seconds), "-f", "flv", str(raw)]
        # A copy of a copy is the same again: what is published later are the bytes of this file.
        copy = [
            ffmpeg(),
            "-v",
            "error",
            "-y",
            "-i",
            str(raw),
            "-map",
            "0",
            "-c",
            "copy",
            "-f",
            "flv",
            str(path),
        ]
        for step in (words, copy):
            done = subprocess.run(
                step, capture_output=True, text=True, timeout=patient(60 + 4 * form.seconds)
            )
            if done.returncode:
                path.unlink(missing_ok=True)
                print(f"{form.name}: {done.stderr}")
                return None
    return Clip(form, path, read_flv(path.read_bytes()))


def push(
    path: Path, url: str, *, loop: bool = False, rate: float = 1, after: str = ""
) -> subprocess.Popen[str]:
    """Start an ffmpeg that publishes a file at *rate* times its own pace; 0: as fast as it can."""
    words = [ffmpeg(), "-v", "error", "-nostdin", "-readrate", str(rate)]
    if loop:
        words += ["-stream_loop", "-1"]
    words += ["-i", str(path), "-map", "0", "-c", "copy", *after.split(), "-f", "flv", url]
    return subprocess.Popen(words, stderr=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str], timeout: float = 20) -> None:
    """Wait for the end of a publisher; it must be content."""
    _, complaint = process.communicate(timeout=patient(timeout))
    assert process.returncode == 0, complaint


def end(process: subprocess.Popen[str]) -> None:
    """End a publisher that runs for ever."""
    if process.poll() is None:
        process.terminate()
    process.communicate(timeout=patient(10))


def decode(path: Path) -> None:
    """Decode every stream of a recording; the first complaint of ffmpeg fails the test."""
    words = [
        ffmpeg(),
        "-v",
        "error",
        "-xerror",
        "-i",
        str(path),
        "-map",
        "0:v?",
        "-map",
        "0:a?",
        # Pictures a millisecond apart are none that a decoder minds.
        *["-fps_mode:v", "passthrough", "-enc_time_base:v", "demux"],
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=patient(60))
    assert done.returncode == 0 and not done.stderr, done.stderr
