"""A stream in one container: a log that exists while somebody reads it, and where its players start."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from dataclasses import replace
from typing import Any, Final

from fastflv import limits
from fastflv._ext.ingest.streamwriter import StreamWriter
from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.rawaudio import AudioMux
from fastflv._ext.mux.remux import Remux
from fastflv._ext.mux.replay import Replay
from fastflv._ext.mux.rtmpmux import RtmpMux
from fastflv._ext.ts.mux import TsMux
from fastflv.containers.flv.variantmux import flv_mux
from fastflv.containers.mpegts import describe
from fastflv.containers.variant import PLAIN, Variant
from fastflv.errors import HandoverError
from fastflv.media.tagflags import OTHER
from fastflv.stream.place import Place
from fastflv.stream.start import StartBlocks

CONTAINERS: Final = ("flv", "ts", "aac", "mp3", "rtmp")
TIMED: Final = ("flv", "rtmp")
"Containers whose bytes have the times that players are told."

NewLog = Callable[[Variant], MediaLog]
"Makes a log with the bounds of the stream."


class Outlet:
    """One log of a stream. `remux` is None for the canonical one."""

    __slots__ = ("_source", "_starts", "_writer", "log", "remux", "unread_since", "variant")

    def __init__(
        self,
        writer: StreamWriter | Replay,
        variant: Variant,
        log: MediaLog,
        remux: Remux | None = None,
        source: Outlet | None = None,
    ) -> None:
        self.variant = variant
        self.log = log
        self.remux = remux
        self.unread_since: float | None = None
        "When it was first seen without a reader, monotonic clock, seconds; None while it has one."
        self._writer = writer
        self._source = source
        self._starts: StartBlocks | None = None

    @property
    def starts(self) -> StartBlocks:
        """Where players start; made for the first of them."""
        if self._starts is None:
            source = self._source.starts if self._source is not None else None
            self._starts = StartBlocks(self._writer, self.variant, self.log, self.remux, source)
        return self._starts

    def headers(self, place: Place) -> bytes:
        """Return the headers of *place* in this container."""
        return place.headers if self.remux is None else self.remux.headers(place.headers)

    def find(self, place: Place) -> int:
        """Return the position of the frame of *place* in this log; -1 where it has none."""
        return next(
            (
                position
                for position, _, dts_ms, kind, flags in self.log.tags()
                if dts_ms == place.dts_ms and kind == place.kind and not flags & OTHER
            ),
            -1,
        )

    @property
    def is_read(self) -> bool:
        """Somebody reads the log, or makes another of it; or it keeps history for those who come."""
        return (
            self.log.readers > 0 or self.log.followed > 0 or self.log.moving > 0 or self.variant.keep_ms > 0
        )


class Outlets:
    """All containers of one stream, made for the first reader and freed after the last."""

    __slots__ = ("_made", "_plain", "_writer", "paused", "unhurried")

    def __init__(self, writer: StreamWriter | Replay) -> None:
        self._writer = writer
        self._plain = Outlet(writer, PLAIN, writer.log)
        self._made: dict[Variant, Outlet] = {}
        "All but the canonical one."
        self.paused = 0
        "Players that read nothing for now, and go on with the times that they were told."
        self.unhurried = 0
        "Readers of the canonical log that read by a clock of their own and go by stream time. Each follows it too."

    def __iter__(self) -> Iterator[Outlet]:
        yield self._plain
        yield from self._made.values()

    def __len__(self) -> int:
        return 1 + len(self._made)

    def open(self, variant: Variant, new_log: NewLog, begin: Place | None = None) -> Outlet:
        """Return the outlet of *variant*; a new one begins with the newest GOP, for RTMP with what servers resume from. Have it read before `close_unread`.

        With *begin*, of the canonical log, it has what follows that frame; where others read a log that has not, it is one apart.
        *new_log* is asked now and never kept: it belongs to the owner of the outlets, and a cycle would keep all logs.
        """
        outlet = self.find(variant)
        if outlet is not None and outlet.log.ended and not self._plain.log.ended:
            # Its remux failed; a new one may do better.
            del self._made[variant]
            outlet = None
        if outlet is not None and begin is not None and not variant.apart and outlet.find(begin) < 0:
            return self.open(replace(variant, apart=True), new_log, begin)
        if outlet is None:
            if len(self) >= limits.OUTLETS_MAX:
                self.close_unread()
            source = self._plain if variant.container == "flv" else self.open(variant.tags, new_log, begin)
            log = new_log(variant)
            remux = make_remux(variant, source.log, log)
            outlet = Outlet(self._writer, variant, log, remux, source)
            at = source.log.key_pos
            headers = source.log.key_headers if at >= 0 else source.starts.header_tags()
            if begin is not None:
                at, headers = source.find(begin), source.headers(begin)
            elif variant.container == "rtmp":
                at = source.starts.resume().position
            remux.begin(headers, at if at >= 0 else source.log.head)
            self._made[variant] = outlet
        outlet.unread_since = None
        return outlet

    def resume(self, variant: Variant, log: MediaLog, state: dict[str, Any]) -> None:
        """Go on with the log of *variant* that another process wrote until now; *state*: of its remux.

        Outlets that others are made of come before them. Raises HandoverError, KeyError, TypeError and ValueError.
        """
        source = self._plain if variant.container == "flv" else self.find(variant.tags)
        if source is None:
            raise HandoverError(f"a log of {variant} comes before the one that it is made of")
        remux = make_remux(variant, source.log, log)
        remux.resume(source.starts.header_tags(), state)
        self._made[variant] = Outlet(self._writer, variant, log, remux, source)

    def find(self, variant: Variant) -> Outlet | None:
        """Return the outlet of *variant*, where there is one."""
        # Most readers ask for the object itself.
        return self._plain if variant is PLAIN or variant == PLAIN else self._made.get(variant)

    def end(self) -> None:
        """The stream has ended, and all its logs: what made one of another lets go of both, for they hold each other."""
        for outlet in self._made.values():
            if outlet.remux is not None:
                outlet.remux.stop()

    def refusal(self, variant: Variant) -> str:
        """Why no log of *variant* may be added, in one sentence; empty when there is one, or room for one."""
        if variant is PLAIN or variant in self._made or not variant.is_choice:
            return ""
        choices = self._choices()
        if (
            len(choices) >= limits.CHOICES_MAX
            or sum(log.kept_bytes for log in choices) > limits.CHOICE_BYTES_MAX
        ):
            self.close_unread()
            choices = self._choices()
        if len(choices) >= limits.CHOICES_MAX:
            return f"{len(choices)} choices of the stream are being played, as many as there may be at once"
        if (size := sum(log.kept_bytes for log in choices)) > limits.CHOICE_BYTES_MAX:
            return f"{len(choices)} choices of the stream take {size >> 20} MiB, as much as they may at once"
        return ""

    def _choices(self) -> list[MediaLog]:
        return [outlet.log for variant, outlet in self._made.items() if variant.is_choice]

    @property
    def is_watched(self) -> bool:
        """Somebody waits for what the stream brings, and is to have it at once."""
        log = self._plain.log
        return log.readers > self.unhurried or log.followed > self.unhurried

    @property
    def tell_time(self) -> bool:
        """Somebody reads times as they stand in FLV tags or RTMP messages. TS has a clock of its own."""
        if self._plain.log.readers > self.unhurried or self._plain.log.moving or self.paused:
            return True
        self.close_unread(containers=TIMED)
        return any(variant.container in TIMED for variant in self._made)

    def close_unread(self, now: float | None = None, containers: Collection[str] = CONTAINERS) -> bool:
        """Free the logs without a reader, those made of others first; return whether some stay for the next player.

        With *now*, monotonic clock, seconds, those that were read within OUTLET_KEEP_SECONDS stay: the next player would
        have the whole GOP written again.
        """
        waits = False
        for variant, outlet in reversed(list(self._made.items())):
            if outlet.remux is None or variant.container not in containers:
                continue
            if outlet.is_read:
                outlet.unread_since = None
                continue
            since = outlet.unread_since
            if now is not None and (since is None or now - since < limits.OUTLET_KEEP_SECONDS):
                outlet.unread_since = now if since is None else since
                waits = True
                continue
            outlet.remux.stop()
            del self._made[variant]
        return waits


def make_remux(variant: Variant, source: MediaLog, log: MediaLog) -> Remux:
    """Return what writes *log* in the container of *variant* from the FLV tags of *source*."""
    if variant.container == "ts":
        return TsMux(source, log, describe)
    if variant.container in ("aac", "mp3"):
        return AudioMux(source, log, describe, variant.container)
    if variant.container == "rtmp":
        return RtmpMux(source, log, variant.chunk_size, variant.stream_id, variant.publishes)
    return flv_mux(source, log, variant)
