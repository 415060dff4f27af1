"""The in-band clock: a script tag before each keyframe that says when it was taken in and when it was written.

It is made once for a stream. Whoever reads it and has a clock of its own knows how late the stream is; a server
that takes the stream from another keeps the time of the first and counts itself (`hop`).

Spec: Adobe FLV v10.1, E.4.4.1 (script data): a name, `onLiveClock`, and an object of numbers.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv.errors import AmfError
from fastflv.media.amf import amf0
from fastflv.stream.histogram import Delays

NAME = "onLiveClock"


class Clocks(NamedTuple):
    """Two clocks at one moment."""

    monotonic_ms: float
    "As `StreamWriter.now_ms`."

    wall_ms: float
    "Since 1970, UTC."


def clocks() -> Clocks:
    """The clocks of this machine."""
    return Clocks(time.monotonic() * 1000, time.time() * 1000)


class ClockTag(NamedTuple):
    """What one tag says."""

    sequence: int
    "Counts the tags of the server that took the stream in first, from 0."

    ingest_ms: int
    "When that server had read the keyframe, ms since 1970."

    send_ms: int
    "When this server wrote it, ms since 1970."

    dts_ms: int
    "Time of the keyframe in this stream, ms."

    hop: int
    "Servers between the first and this one; 0: this one is the first."


FIELDS = {
    "sequence": "sequence",
    "ingestTime": "ingest_ms",
    "sendTime": "send_ms",
    "streamTime": "dts_ms",
    "hop": "hop",
}


def write_clock(tag: ClockTag) -> bytes:
    """Return the body of a script tag."""
    return amf0.encode(NAME, {key: float(getattr(tag, field)) for key, field in FIELDS.items()})


def read_clock(body: bytes) -> ClockTag | None:
    """Read the body of a script tag; None when it is no clock."""
    try:
        values = amf0.decode_all(body)
    except AmfError:
        return None
    if len(values) < 2 or values[0] != NAME or not isinstance(values[1], dict):
        return None
    found = {}
    for key, field in FIELDS.items():
        value = values[1].get(key)
        if not isinstance(value, float) or not 0 <= value < 1 << 53:
            return None
        found[field] = int(value)
    return ClockTag(**found)


class LiveClock:
    """The clock of one stream; `StreamWriter.clock`."""

    def __init__(self, writer: StreamWriter, delays: Delays, now: Callable[[], Clocks] = clocks) -> None:
        self._writer = writer
        self._delays = delays
        self._now = now
        self._sequence = 0
        self._relayed = False
        "The publisher brings the clock of a server before this one."
        self._origin: ClockTag | None = None
        "What it said last, until that is passed on."

    def begin(self) -> None:
        """Another publisher starts."""
        self._relayed = False
        self._origin = None

    def take(self, body: bytes) -> bool:
        """Take script data of the publisher; whether it is a clock, which goes on by `__call__`."""
        tag = read_clock(body)
        if tag is None:
            return False
        self._relayed = True
        self._origin = tag
        return True

    def __call__(self, dts_ms: int) -> bytes | None:
        """Return the body of the tag before what is written at *dts_ms*; None where the publisher's has none."""
        monotonic_ms, wall_ms = self._now()
        waited = max(0.0, monotonic_ms - self._writer.now_ms)
        self._delays.ingest.observe(waited)
        if not self._relayed:
            tag = ClockTag(self._sequence, round(wall_ms - waited), round(wall_ms), dts_ms, 0)
            self._sequence += 1
            return write_clock(tag)
        origin, self._origin = self._origin, None
        if origin is None:
            return None
        self._delays.origin.observe(max(0.0, wall_ms - origin.ingest_ms))
        hop = min(origin.hop + 1, limits.LIVE_CLOCK_HOPS_MAX)
        return write_clock(origin._replace(send_ms=round(wall_ms), dts_ms=dts_ms, hop=hop))
