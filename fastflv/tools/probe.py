"""`fastflv probe`: join a stream as a player, or read a file, and tell what comes and how late it is."""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from fastflv import limits
from fastflv._ext.syntax.flvtag import traits
from fastflv.config.masking import masked
from fastflv.containers.flv.reader import FlvTag
from fastflv.errors import AmfError, ToolError
from fastflv.media import trackinfo as tracks
from fastflv.media.amf import amf0
from fastflv.media.codecs import AUDIO, SCRIPT, VIDEO
from fastflv.media.tagflags import COMMAND, CONFIG, KEY
from fastflv.net.peertext import printable
from fastflv.stream.liveclock import ClockTag, read_clock
from fastflv.tools.filesource import FileSource, is_file
from fastflv.tools.source import Source, connection_fault, open_source

NAMES = {AUDIO: "audio", VIDEO: "video"}


@dataclass(slots=True)
class ProbeTrack:
    """What came of one kind; rates are of what came live, after the start burst."""

    codec: int = 0
    config: bytes | None = None
    head: int = 0
    frames: int = 0
    "All that came."
    bytes: int = 0
    live_frames: int = 0
    live_bytes: int = 0
    first_ms: int = -1
    last_ms: int = -1
    "Times of the live frames."

    def rates(self) -> dict[str, object]:
        """Bit rate and frames a second by the stream's own time."""
        span = self.last_ms - self.first_ms
        if self.live_frames < 2 or span <= 0:
            return {"kbps": None, "frames_per_second": None}
        # The last frame ends behind the span.
        share = (self.live_frames - 1) / self.live_frames
        return {
            "kbps": round(self.live_bytes * share * 8 / span, 1),
            "frames_per_second": round((self.live_frames - 1) * 1000 / span, 2),
        }


@dataclass
class Probe:
    """Takes tags as they arrive; `report` says what they were."""

    began: float
    "Monotonic clock before the connection, seconds."
    past: float = limits.PROBE_BURST_SECONDS
    "What comes within this of the first byte is no part of the rates, seconds; -1: all is."
    first_byte: float = -1.0
    first_key: float = -1.0
    last: float = -1.0
    silence: float = 0.0
    "The longest time without media, seconds."
    tracks: dict[int, ProbeTrack] = field(default_factory=dict)
    keys: list[int] = field(default_factory=list)
    "Times of keyframes that came live, ms."
    metadata: dict[str, object] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    "From the first server's read to here, ms."
    servers: list[float] = field(default_factory=list)
    "From the first server's read to the last server's log, ms."
    clock: ClockTag | None = None

    def take(self, found: list[FlvTag], now: float, wall_ms: float) -> None:
        """Take the tags that arrived at one moment, by two clocks."""
        if self.first_byte < 0:
            self.first_byte = now
        elif found:
            self.silence = max(self.silence, now - self.last)
        if found or self.last < 0:
            self.last = now
        live = now - self.first_byte > self.past
        for tag in found:
            if tag.kind == SCRIPT:
                self._take_script(tag.body, wall_ms, live)
            elif tag.kind in NAMES and tag.body:
                self._take_media(tag, now, live)

    @property
    def misses_key(self) -> bool:
        """Whether video came and the interval between its keyframes is not known."""
        return VIDEO in self.tracks and len(self.keys) < 2

    def _take_script(self, body: bytes, wall_ms: float, live: bool) -> None:
        clock = read_clock(body)
        if clock is not None:
            self.clock = clock
            if live:
                passed = wall_ms - clock.ingest_ms
                # A clock tells whole milliseconds, rounded: what comes within one is no sign of another clock.
                self.delays.append(0.0 if -1 < passed < 0 else passed)
                self.servers.append(clock.send_ms - clock.ingest_ms)
            return
        try:
            values = amf0.decode_all(body)
        except AmfError:
            return
        if len(values) > 1 and values[0] == "onMetaData" and isinstance(values[1], dict):
            self.metadata = {key: value for key, value in values[1].items()}

    def _take_media(self, tag: FlvTag, now: float, live: bool) -> None:
        flags, codec, number = traits(tag.kind, tag.body)
        if flags & COMMAND or number:
            return
        track = self.tracks.setdefault(tag.kind, ProbeTrack())
        track.codec = codec
        track.head = tag.body[0]
        if flags & CONFIG:
            track.config = tag.body
            return
        track.frames += 1
        track.bytes += len(tag.body)
        if tag.kind == VIDEO and flags & KEY:
            if self.first_key < 0:
                self.first_key = now
            if live:
                self.keys.append(tag.time_ms)
        if live:
            track.live_frames += 1
            track.live_bytes += len(tag.body)
            track.first_ms = tag.time_ms if track.first_ms < 0 else track.first_ms
            track.last_ms = max(track.last_ms, tag.time_ms)

    # --- what it was ---

    def report(self, source: Source, seconds: float) -> dict[str, object]:
        """Everything, for machines; times in ms, rates in kbit/s."""
        return {
            "url": masked(source.url.geturl()),
            "seconds": round(seconds, 2),
            "bytes": source.received,
            "first_byte_ms": round((self.first_byte - self.began) * 1000, 1),
            "first_keyframe_ms": None
            if self.first_key < 0
            else round((self.first_key - self.began) * 1000, 1),
            "longest_silence_ms": round(self.silence * 1000, 1),
            **self._media(),
            "delay_ms": _percentiles(self.delays),
            "server_ms": _percentiles(self.servers),
            "hop": self.clock.hop if self.clock is not None else None,
            "metadata": {key: str(value) for key, value in self.metadata.items()},
            "warnings": self.warnings(source.flags),
        }

    def report_file(self, source: FileSource) -> dict[str, object]:
        """Likewise of a file that was read to its end, or to its damage."""
        spans = [(track.first_ms, track.last_ms) for track in self.tracks.values() if track.frames]
        index = self.metadata.pop("keyframes", None)
        times = index.get("times") if isinstance(index, dict) else None
        warnings = self.warnings(source.flags)
        return {
            "file": source.path,
            "seconds": round((max(last for _, last in spans) - min(first for first, _ in spans)) / 1000, 3),
            "bytes": source.received,
            **self._media(),
            "index": len(times) if isinstance(times, list) else None,
            "metadata": {key: str(value) for key, value in self.metadata.items()},
            "warnings": [*warnings, source.fault] if source.fault else warnings,
        }

    def _media(self) -> dict[str, object]:
        gops = [b - a for a, b in zip(self.keys, self.keys[1:], strict=False)]
        return {
            "tracks": [self._describe(kind) for kind in (VIDEO, AUDIO) if kind in self.tracks],
            "gop_ms": {"least": min(gops), "most": max(gops)} if gops else None,
        }

    def _describe(self, kind: int) -> dict[str, object]:
        track = self.tracks[kind]
        about = (
            tracks.describe_video(track.codec, track.config)
            if kind == VIDEO
            else tracks.describe_audio(track.codec, track.config, track.head)
        )
        return {"kind": NAMES[kind], **about, "frames": track.frames, "bytes": track.bytes, **track.rates()}

    def warnings(self, flags: int) -> list[str]:
        """What players will stumble over."""
        found = []
        there = {kind for kind, track in self.tracks.items() if track.frames}
        for kind, bit in ((AUDIO, 4), (VIDEO, 1)):
            name = NAMES[kind]
            if flags >= 0 and bool(flags & bit) != (kind in there):
                told = "announces" if flags & bit else "does not announce"
                found.append(f"the FLV header {told} {name}, and {'some' if kind in there else 'none'} came")
            said = self.metadata.get(f"has{name.capitalize()}")
            if isinstance(said, bool) and said != (kind in there):
                found.append(
                    f"onMetaData says has{name.capitalize()} {str(said).lower()}, and that is not so"
                )
        if VIDEO in there and self.first_key < 0:
            found.append("no keyframe came: a decoder cannot start")
        if self.delays and min(self.delays) < 0:
            found.append("the stream comes before it was taken in: the clocks of the machines differ")
        return found


def _percentiles(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    ordered = sorted(values)
    at = {name: ordered[math.ceil(share * len(ordered)) - 1] for name, share in (("p50", 0.5), ("p99", 0.99))}
    return {**{name: round(value, 1) for name, value in at.items()}, "count": len(ordered)}


def probe(
    url: str, *, seconds: float | None = None, wait: float = limits.PROBE_WAIT_SECONDS, verify: bool = True
) -> dict[str, object]:
    """Read *url* for some seconds from its first media on; return the report. Raises ToolError.

    *seconds*: None: PROBE_SECONDS, or longer until the interval between keyframes is known.
    """
    source = open_source(url, timeout=wait, verify=verify)
    seen = Probe(time.monotonic())
    try:
        for found in source.tags():
            now = time.monotonic()
            seen.take(found, now, time.time() * 1000)
            most = limits.PROBE_KEYS_SECONDS if seen.misses_key else limits.PROBE_SECONDS
            source.deadline = seen.first_byte + (most if seconds is None else seconds)
    except OSError as error:
        raise connection_fault(error, source.authority, wait) from error
    if not seen.tracks:
        raise ToolError(f"no media within {wait:g} s; does anybody publish the stream?")
    return seen.report(source, time.monotonic() - seen.first_byte)


def probe_file(path: str) -> dict[str, object]:
    """Read the FLV file at *path*, `-`: stdin; return the report. Raises ToolError."""
    source = FileSource(path)
    seen = Probe(0.0, past=-1.0)
    for found in source.tags():
        seen.take(found, 0.0, 0.0)
    if not any(track.frames for track in seen.tracks.values()):
        raise ToolError(source.fault or f"{source.name} has no media")
    return seen.report_file(source)


def text_of(report: dict[str, object]) -> str:
    """Return the report for people."""
    is_file = "file" in report
    if is_file:
        lines = [f"{report['file']}: {report['bytes']} bytes, {report['seconds']} s"]
    else:
        lines = [
            f"{report['url']}: {report['bytes']} bytes in {report['seconds']} s",
            f"first byte after {report['first_byte_ms']} ms, first keyframe after {_or(report['first_keyframe_ms'], 'none', ' ms')}",
        ]
    for track in report["tracks"]:  # type: ignore[attr-defined]
        about = [str(track["codec"]), *(str(track[key]) for key in ("profile", "level") if track.get(key))]
        if track["kind"] == "video":
            about.append(f"{track['width']}x{track['height']}")
        else:
            about.append(f"{track['sample_rate']} Hz, {track['channel']} channels")
        rates = f"{_or(track['kbps'], '?')} kbit/s, {_or(track['frames_per_second'], '?')} frames/s"
        lines.append(f"{track['kind']}: {' '.join(about)}, {rates}")
    gop = report["gop_ms"]
    if isinstance(gop, dict):
        lines.append(f"keyframes every {gop['least']} to {gop['most']} ms")
    if is_file:
        count = report["index"]
        lines.append("no index of keyframes" if count is None else f"an index of {count} keyframes")
    else:
        lines += _delays(report)
    lines += [f"warning: {line}" for line in report["warnings"]]  # type: ignore[attr-defined]
    return "\n".join(map(printable, lines))


def _delays(report: dict[str, object]) -> list[str]:
    lines = [f"longest silence {report['longest_silence_ms']} ms"]
    delay, server = report["delay_ms"], report["server_ms"]
    if isinstance(delay, dict) and isinstance(server, dict):
        lines.append(
            f"delay p50 {delay['p50']} ms, p99 {delay['p99']} ms of {delay['count']} keyframes; "
            f"of that on servers p50 {server['p50']} ms, {report['hop']} hops"
        )
    else:
        lines.append(
            "delay not known: no clock came (play { live_clock on; }, and read for longer than a GOP)"
        )
    return lines


def _or(value: object, otherwise: str, unit: str = "") -> str:
    return otherwise if value is None else f"{value}{unit}"


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="fastflv probe",
        description="Join a stream as a player; tell its tracks, rates and delay. Takes http, https, ws and wss "
        "(FLV), rtmp and rtmps. Of an FLV file tell its tracks, rates and damage.",
    )
    made.add_argument("url", help="the URL that a player would use; or an FLV file, - for stdin")
    made.add_argument(
        "--seconds",
        type=float,
        help=f"how long to read (default {limits.PROBE_SECONDS:g}, up to {limits.PROBE_KEYS_SECONDS:g} until two keyframes came)",
    )
    made.add_argument(
        "--wait",
        type=float,
        default=limits.PROBE_WAIT_SECONDS,
        help="how long to wait for the first media, seconds (default %(default)g)",
    )
    made.add_argument("--insecure", action="store_true", help="take any certificate")
    made.add_argument("--json", action="store_true", help="write JSON")
    return made


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit status: 1 when the stream could not be read."""
    args = parser().parse_args(argv)
    try:
        if is_file(args.url):
            report = probe_file(args.url)
        else:
            report = probe(args.url, seconds=args.seconds, wait=args.wait, verify=not args.insecure)
    except ToolError as error:
        print(
            json.dumps({"error": str(error)}) if args.json else f"fastflv probe: {printable(str(error))}",
            file=sys.stderr,
        )
        return 1
    print(json.dumps(report, indent=2) if args.json else text_of(report))
    return 0
