"""The index of an FLV file: where a player can start, and the headers that it needs there.

Spec: FLV v10.1, E.2 to E.5; the lists `keyframes.times` and `keyframes.filepositions` of onMetaData are a habit of writers.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from fastflv import limits
from fastflv._ext.syntax.flvtag import make_tag
from fastflv._ext.syntax.tagwalk import TagWalk
from fastflv.containers.cut import Reading
from fastflv.containers.flv.header import (
    BACK_POINTER_BYTES,
    HEADER_BYTES,
    TAG_HEADER_BYTES,
    flv_header,
    read_header,
)
from fastflv.containers.flv.metadata import script_name
from fastflv.errors import FlvHeaderError, MediaFileError
from fastflv.media.codecs import SCRIPT, VIDEO
from fastflv.media.tagflags import KEY

FRAME_BYTES: Final = 15
"Of a tag beside its body: header and back pointer."

LOOK_BYTES: Final = TAG_HEADER_BYTES + 64
"Of a tag, enough to tell what it is."

Mark = tuple[int, int, int, int, int, int]
"Of `TagWalk`: offset, kind, flags, track, time in ms, bytes of the tag."


class Headers(NamedTuple):
    """What a player needs before the first frame, from one place of the file on."""

    position: int
    "In force from this offset on."

    tags: dict[tuple[int, int, int], bytes]
    "Bodies in their order by kind, flags and track; metadata has the kind 18."


@dataclass(frozen=True, slots=True)
class FlvIndex:
    """Where an FLV file can be entered. Offsets in bytes, times in ms as the tags have them, unwrapped."""

    size: int
    "Of the file."

    end: int
    "Behind the last whole tag: nothing behind it is sent in parts."

    state: str
    "How the file ends: `end`, `torn` within a tag, `broken` by what is no tag, `full` where the index is."

    begin: int
    "Offset of the first tag."

    flags: int
    "Tracks that the FLV header announces: 4 audio, 1 video."

    first_ms: int
    last_ms: int
    "Times of the first and the last frame; -1 in a file without frames."

    positions: array[int]
    "Of keyframes; of audio frames in a file without video."

    times: array[int]
    "Their times, never falling: where the clock of the file steps back, the time before stands."

    headers: tuple[Headers, ...]
    "Sorted by position."

    claimed: bool
    "The positions were told by the metadata of the file, and not all of them were looked at."

    @property
    def cost(self) -> int:
        """Memory, bytes."""
        kept = sum(len(body) for each in self.headers for body in each.tags.values())
        return limits.VOD_INDEX_EXTRA_BYTES + 16 * len(self.positions) + kept

    def at_position(self, position: int) -> int:
        """Return the place to start, a number in `positions`, at or before *position*; else the first one."""
        return max(bisect_right(self.positions, position) - 1, 0)

    def at_time(self, time_ms: int) -> int:
        """Return the place to start at or before *time_ms*; else the first one."""
        return max(bisect_right(self.times, time_ms) - 1, 0)

    def head(self, place: int) -> bytes:
        """Return what is sent before the tags from a place to start on: FLV header, metadata, sequence headers."""
        position = self.positions[place]
        known = [each for each in self.headers if each.position <= position]
        tags = known[-1].tags if known else {}
        flags = self.flags or 5
        head = [flv_header(audio=bool(flags & 4), video=bool(flags & 1))]
        for (kind, _, _), body in tags.items():
            # Script data with another time than 0 is taken for a track of text by FFmpeg.
            head.append(make_tag(kind, 0 if kind == SCRIPT else self.times[place], body))
        return b"".join(head)


def read_index(size: int, *, claims: bool = True) -> Reading[FlvIndex]:
    """Read the index of a file of *size* bytes. *claims*: a true list in the metadata spares reading all of a large file.

    Raises FlvHeaderError for what is no FLV file, MediaFileError for one without a place to start.
    """
    data = yield 0, limits.VOD_BLOCK_BYTES
    if len(data) < HEADER_BYTES:
        raise FlvHeaderError("the file ends within the FLV header", offset=0)
    flags, first = read_header(data)
    if first > limits.FLV_HEADER_BYTES_MAX:
        raise FlvHeaderError(f"FLV header of {first} bytes", offset=5)
    walk = TagWalk(size, first)
    walk.audio_step_ms = limits.VOD_AUDIO_STEP_MS
    notes = _Notes()
    begin = 0
    claimed = claims and size > limits.VOD_CLAIM_BYTES_MIN
    jumped = False
    while True:
        before = walk.position
        for mark in walk.feed(data, begin):
            body = b""
            if notes.wants(mark):
                at = mark[0] - begin + TAG_HEADER_BYTES
                body = data[at : at + mark[5] - FRAME_BYTES]
                if len(body) < mark[5] - FRAME_BYTES:
                    body = yield mark[0] + TAG_HEADER_BYTES, mark[5] - FRAME_BYTES
            if not notes.take(mark, body):
                walk.position = mark[0]
                break
        if notes.full or walk.state != "more" or walk.position == before:
            # The file may have become shorter than it was.
            break
        if notes.video.positions:
            walk.scripts = False
            walk.audio_step_ms = -1
        if claimed and walk.position > limits.VOD_HEAD_BYTES_MAX and notes.video.positions:
            claimed = False
            listed = _claims(notes.metadata, walk.position, size)
            if listed is not None and (yield from _are_true(listed, size)):
                jumped = True
                notes.video.extend(listed)
                walk.position, walk.time_ms = listed[-1]
        begin = walk.position - BACK_POINTER_BYTES
        data = yield begin, limits.VOD_BLOCK_BYTES
    points = notes.video if notes.video.positions else notes.audio
    points.cut(walk.position)
    if not points.positions:
        raise MediaFileError("the file has no frame that a player can start with", offset=walk.position)
    return FlvIndex(
        size=size,
        end=walk.position,
        state="full" if notes.full else "torn" if walk.state == "more" else walk.state,
        begin=first,
        flags=flags,
        first_ms=walk.first_ms,
        last_ms=max(walk.time_ms, points.times[-1]),
        positions=points.positions,
        times=array("q", accumulate(points.times, max)),
        headers=tuple(notes.headers),
        claimed=jumped,
    )


class _Points:
    """Places to start, thinned out where there are too many."""

    def __init__(self) -> None:
        self.positions = array("q")
        self.times = array("q")
        self._step_ms = 0

    def add(self, position: int, time_ms: int) -> None:
        if self.times and self._step_ms > time_ms - self.times[-1] >= 0:
            return
        self.positions.append(position)
        self.times.append(time_ms)
        if len(self.positions) > limits.VOD_POINTS_MAX:
            self.positions, self.times = self.positions[::2], self.times[::2]
            self._step_ms = max(2 * self._step_ms, 2 * (self.times[-1] - self.times[0]) // len(self.times), 1)

    def cut(self, end: int) -> None:
        """Forget what lies at *end* or behind."""
        while self.positions and self.positions[-1] >= end:
            self.positions.pop()
            self.times.pop()

    def extend(self, listed: list[tuple[int, int]]) -> None:
        """Take the points of a list behind those that are known."""
        last = self.positions[-1]
        for position, time_ms in listed[:-1]:
            # The walk notes the last one again.
            if position > last:
                self.add(position, time_ms)


class _Notes:
    """What a walk has brought."""

    def __init__(self) -> None:
        self.video, self.audio = _Points(), _Points()
        self.headers: list[Headers] = []
        self.metadata = b""
        "The body of onMetaData."
        self.full = False
        self._count = 0
        self._bytes = 0
        self._copies = 0

    def wants(self, mark: Mark) -> bool:
        """Whether the body of a tag is needed."""
        kind, flags, size = mark[1], mark[2], mark[5]
        if kind == SCRIPT:
            return not self.metadata and size <= limits.VOD_HEAD_BYTES_MAX
        return flags & ~KEY != 0

    def take(self, mark: Mark, body: bytes) -> bool:
        """Note a tag; False where the index is full."""
        offset, kind, flags, track, time_ms, size = mark
        self._count += 1
        if kind == SCRIPT:
            if not self.metadata and body and script_name(body) == "onMetaData":
                self.metadata = body
                self._keep(offset + size, (SCRIPT, 0, 0), body)
        elif flags & ~KEY:
            self._keep(offset + size, (kind, flags, track), body)
        else:
            (self.video if kind == VIDEO else self.audio).add(offset, time_ms)
        self.full = self.full or self._count > limits.VOD_NOTES_MAX
        return not self.full

    def _keep(self, position: int, key: tuple[int, int, int], body: bytes) -> None:
        newest = self.headers[-1].tags if self.headers else {}
        if newest.get(key) == body:
            return
        self._bytes += len(body) + FRAME_BYTES
        self._copies += len(newest) + 1
        if self._bytes > limits.VOD_HEAD_BYTES_MAX or self._copies > limits.VOD_HEADER_COPIES_MAX:
            self.full = True
            return
        tags = {**newest, key: body}
        if SCRIPT in (kind for kind, _, _ in tags):
            metadata = (SCRIPT, 0, 0)
            tags = {metadata: tags.pop(metadata), **tags}
        self.headers.append(Headers(position, tags))


def _claims(metadata: bytes, begin: int, size: int) -> list[tuple[int, int]] | None:
    """Return offsets and times in ms of the keyframe list in an onMetaData body; None where it has none that can be true."""
    positions, times = _numbers(metadata, b"filepositions"), _numbers(metadata, b"times")
    if not positions or len(positions) != len(times):
        return None
    listed = []
    last = (-1, -1)
    for position, time in zip(positions, times, strict=True):
        # NaN compares false with everything.
        if not (last[0] < position <= size and 0 <= time < 1 << 40):
            return None
        last = (int(position), round(1000 * time))
        listed.append(last)
    # Some lists end with the size of the file.
    while listed and listed[-1][0] + FRAME_BYTES > size:
        listed.pop()
    return listed if listed and listed[-1][0] > begin else None


def _numbers(body: bytes, name: bytes) -> list[float]:
    """Return the strict array of numbers with this name in an AMF 0 body (AMF 0, 2.2 and 2.12); empty without one.

    Read by itself: such lists have more values than the reader of commands takes.
    """
    key = struct.pack(">H", len(name)) + name + b"\x0a"
    at = body.find(key) + len(key)
    if at < len(key) or at + 4 > len(body):
        return []
    (count,) = struct.unpack_from(">I", body, at)
    at += 4
    if not count or count > (len(body) - at) // 9:
        return []
    found = list(struct.iter_unpack(">Bd", body[at : at + 9 * count]))
    return [] if any(marker for marker, _ in found) else [value for _, value in found]


def _are_true(listed: list[tuple[int, int]], size: int) -> Reading[bool]:
    """Compare samples of a keyframe list with the file. The first entry may be that of a sequence header: it is not used."""
    count = min(limits.VOD_CLAIM_SAMPLES, len(listed) - 1)
    for number in range(1, count + 1):
        position, time_ms = listed[number * (len(listed) - 1) // count]
        data = yield position, LOOK_BYTES
        found = keyframe_time(data, position, size)
        if found is None or abs(found - (time_ms & 0x7FFFFFFF)) > limits.VOD_CLAIM_SLACK_MS:
            return False
    return count > 0


def keyframe_time(data: bytes, position: int, size: int) -> int | None:
    """Return the time in ms of the video keyframe at *position*, from *data* on; None where there is none."""
    walk = TagWalk(size, position)
    # A tag of which not all bytes are there is looked at by its begin.
    marks = walk.feed(data, position)
    if not marks or marks[0][0] != position:
        return None
    _, kind, flags, _, time_ms, _ = marks[0]
    return time_ms if kind == VIDEO and flags & KEY else None
