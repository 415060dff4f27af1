"""Packers collect the frames of one segment: TS packets as they are, or samples of fragmented MP4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from fastflv import limits
from fastflv._ext.syntax.flvtag import payload
from fastflv.containers.flv.header import body_of
from fastflv.containers.flv.reader import walk_tags
from fastflv.containers.fmp4 import DISPOSABLE, INTER, SYNC, Run, Sample, fragment, init_section
from fastflv.containers.mp4entry import BY_FRAME, CODECS, VIDEO_TICKS, Mp4Track, audio_track, video_track
from fastflv.containers.nalunits import to_lengths
from fastflv.errors import CodecConfigError
from fastflv.media import tagflags
from fastflv.media.audioframe import flac_samples, opus_samples
from fastflv.media.codecs import AUDIO, VIDEO, codec_name

TS_PACKET_BYTES = 188
TICKS_PER_MS = VIDEO_TICKS // 1000
Frame = TypeVar("Frame")


class Packer(Protocol[Frame]):
    """Makes the bytes of segments, one at a time."""

    changed: set[int]
    "Kinds (8, 9) whose configuration changed: the segment has to end before their next frame."

    def read(self, kind: int, flags: int, dts_ms: int, data: bytes) -> Frame | None:
        """Return the frame in an entry of the log; None for an entry without media."""

    def add(self, kind: int, flags: int, dts_ms: int, frame: Frame) -> None:
        """Add a frame that `read` returned to the segment."""

    def finish(self, end_ms: int) -> tuple[bytes, bytes]:
        """Return the segment, which lasts until *end_ms*, and its initialisation section; begin another."""

    def drop(self) -> None:
        """Forget the frames of the segment; begin another."""

    def restart(self) -> None:
        """The times of the next frame need not continue those of the segments before."""


class TsPacker:
    """Segments of MPEG-TS: the entries of the "ts" log, concatenated, with PAT and PMT first."""

    def __init__(self, tables: Callable[[], bytes]) -> None:
        self.changed: set[int] = set()
        self._tables = tables
        self._parts: list[bytes] = []

    def read(self, kind: int, flags: int, dts_ms: int, data: bytes) -> bytes | None:
        return data

    def add(self, kind: int, flags: int, dts_ms: int, frame: bytes) -> None:
        self._parts.append(frame)

    def finish(self, end_ms: int) -> tuple[bytes, bytes]:
        if self._parts and not _has_tables(self._parts[0]):
            self._parts.insert(0, self._tables_before(self._parts))
        body = b"".join(self._parts)
        self._parts.clear()
        self.changed.clear()
        return body, b""

    def drop(self) -> None:
        self._parts.clear()
        self.changed.clear()

    def restart(self) -> None:
        """Nothing to do: entries have their times."""

    def _tables_before(self, parts: list[bytes]) -> bytes:
        """Return PAT and PMT whose continuity counters precede those of the first tables in the segment."""
        tables = bytearray(self._tables())
        follow = next((part for part in parts if _has_tables(part)), None)
        if follow is not None:
            for at in range(3, len(tables), TS_PACKET_BYTES):
                tables[at] = tables[at] & 0xF0 | (follow[at] - 1) & 15
        return bytes(tables)


def _has_tables(entry: bytes) -> bool:
    """Whether an entry of the log begins with PAT and PMT: a section starts on PID 0."""
    return entry[:3] == b"\x47\x40\x00"


class Mp4Packer:
    """Segments of fragmented MP4 from FLV tags: the default track of video and of audio.

    Times are those of the tags. Audio times follow the sample count while the tags agree within MP4_DRIFT_MS, so
    that rounding to milliseconds makes no gaps. *size*: pixels, for codecs whose record has no size.
    """

    def __init__(self, size: tuple[int, int] = (0, 0)) -> None:
        self.changed: set[int] = set()
        self.skipped = 0
        "Frames dropped: of a codec that MP4 does not carry here, or without a configuration."
        self._size = size
        self._headers: dict[int, tuple[str, bytes]] = {}
        self._tracks: dict[int, Mp4Track] = {}
        self._broken: set[int] = set()
        self._init = b""
        self._video: list[tuple[int, int, int, bytes]] = []
        self._audio: list[tuple[int, int, bytes]] = []
        self._video_next = 0
        self._audio_next = -1
        self._sequence = 0

    def take_headers(self, tags: bytes) -> None:
        """Take the sequence headers among whole FLV *tags*."""
        at = 0
        for tag, end in walk_tags(tags):
            self.read(tag.kind, 0, 0, tags[at:end])
            at = end

    def describe(self) -> list[Mp4Track]:
        """Return the tracks, pictures first; one without a frame yet by its sequence header, where that is enough."""
        for kind, (_, record) in self._headers.items():
            if record:
                self._track(kind, 0, b"")
        return sorted(self._tracks.values(), key=lambda track: -track.kind)

    def read(self, kind: int, flags: int, dts_ms: int, data: bytes) -> tuple[bytes, int] | None:
        if kind not in CODECS:
            return None
        found = payload(kind, body_of(data))
        if found is None or found[2] > 1:
            return None
        codec, _, packet, cts_ms, body = found
        name = codec_name(kind, codec)
        if packet == 0:
            self._take_header(kind, name, bytes(body))
            return None
        held = self._headers.get(kind)
        if held is None or held[0] != name:
            if name != "Opus" and name not in BY_FRAME:
                self.skipped += 1
                return None
            self._take_header(kind, name, b"")
        return body, cts_ms

    def add(self, kind: int, flags: int, dts_ms: int, frame: tuple[bytes, int]) -> None:
        body, cts_ms = frame
        if not body:
            return
        track = self._track(kind, flags, body)
        if track is None:
            self.skipped += 1
        elif kind == VIDEO:
            # Decoders drop one of two frames with the same time.
            at = max(dts_ms * TICKS_PER_MS, self._video_next)
            self._video_next = at + 1
            shown = (dts_ms + cts_ms) * TICKS_PER_MS - at
            how = SYNC if flags & tagflags.KEY else DISPOSABLE if flags & tagflags.DISPOSABLE else INTER
            if track.length_size:
                body = to_lengths(body, track.length_size)
            self._video.append((at, shown, how, body))
        else:
            self._add_audio(track, dts_ms, body)

    def finish(self, end_ms: int) -> tuple[bytes, bytes]:
        runs = []
        if self._video:
            ends = [row[0] for row in self._video[1:]]
            ends.append(max(end_ms * TICKS_PER_MS, self._video[-1][0] + 1))
            samples = [
                Sample(end - at, body, how, shown)
                for (at, shown, how, body), end in zip(self._video, ends, strict=True)
            ]
            self._video_next = max(self._video_next, self._video[-1][0] + 1)
            runs.append(Run(self._tracks[VIDEO], self._video[0][0], samples))
        if self._audio:
            ends = [row[0] for row in self._audio[1:]]
            ends.append(self._audio[-1][0] + self._audio[-1][1])
            samples = [Sample(end - at, body) for (at, _, body), end in zip(self._audio, ends, strict=True)]
            runs.append(Run(self._tracks[AUDIO], self._audio[0][0], samples))
        init = self._init
        if runs and not init:
            init = self._init = init_section(self._tracks.values())
        self.drop()
        if not runs:
            return b"", b""
        self._sequence += 1
        return fragment(self._sequence, runs), init

    def drop(self) -> None:
        self._video, self._audio = [], []
        for kind in self.changed:
            self._forget(kind)
        self.changed.clear()

    def restart(self) -> None:
        self._video_next = 0
        self._audio_next = -1

    # --- tracks ---

    def _take_header(self, kind: int, name: str, record: bytes) -> None:
        header = (name, record)
        if self._headers.get(kind) == header:
            return
        self._headers[kind] = header
        if self._video if kind == VIDEO else self._audio:
            self.changed.add(kind)
        else:
            self._forget(kind)

    def _forget(self, kind: int) -> None:
        self._tracks.pop(kind, None)
        self._broken.discard(kind)
        self._init = b""
        if kind == AUDIO:
            self._audio_next = -1

    def _track(self, kind: int, flags: int, body: bytes) -> Mp4Track | None:
        """Return the track of a frame, described by its first usable frame; None when that is impossible."""
        track = self._tracks.get(kind)
        if track is not None or kind in self._broken:
            return track
        name, record = self._headers[kind]
        try:
            if kind == VIDEO:
                track = video_track(name, record, body if flags & tagflags.KEY else b"", self._size)
            else:
                track = audio_track(name, record, body)
        except CodecConfigError:
            self._broken.add(kind)
        if track is not None:
            self._tracks[kind] = track
            self._init = b""
        return track

    def _add_audio(self, track: Mp4Track, dts_ms: int, body: bytes) -> None:
        count = samples_in(track, body)
        if not count:
            self.skipped += 1
            return
        at = (dts_ms * track.timescale + 500) // 1000
        drift = limits.MP4_DRIFT_MS * track.timescale // 1000
        if self._audio_next >= 0:
            if abs(at - self._audio_next) <= drift:
                at = self._audio_next
            elif self._audio:
                at = max(at, self._audio[-1][0] + 1)
        self._audio_next = at + count
        self._audio.append((at, count, body))


def samples_in(track: Mp4Track, body: bytes) -> int:
    """Return the number of samples in a coded audio frame; 0 for a broken frame."""
    if track.codec == "Opus":
        return opus_samples(body)
    if track.codec == "FLAC":
        return flac_samples(body) or track.samples
    if track.codec in BY_FRAME:
        try:
            return BY_FRAME[track.codec](body).samples
        except CodecConfigError:
            return 0
    return track.samples
