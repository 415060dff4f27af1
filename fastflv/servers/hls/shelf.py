"""The segments of one stream: made while somebody asks for them, kept in memory, shown in a playlist."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from fastflv import limits
from fastflv.containers.playlist import QUERY, Playlist, PlaylistEntry, bit_rates
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentreader import SegmentReader, carried
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)


class Kept(NamedTuple):
    """A segment that can be had."""

    path: str
    init_path: str
    "Its initialisation section; empty for TS."

    size: int
    duration_ms: int
    discontinuity: bool
    until: float = 0.0
    "Loop time from which on it may be gone; 0 while it is in the playlist."


class Shelf:
    """One stream's playlist and segments.

    `begin` when a publisher is there, `pause` when it left, `end` when nobody came back; `close` at any time.
    A shelf that nobody asks for closes itself and calls *on_closed*.
    """

    on_demand = True

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        name: StreamName,
        options: HlsOptions,
        on_closed: Callable[[Shelf], None],
    ) -> None:
        self.name = name
        self.options = options
        self.path = options.names.playlist_path(name)
        self.text = ""
        "The playlist as players get it, empty while there is no segment."
        self.asked = loop.time()
        "When somebody asked last."
        self.waiting: set[Callable[[], None]] = set()
        "To be called when there is a playlist, or will never be."
        self.stream: Stream | None = None
        self.closed = False
        self._loop = loop
        self._hub = hub
        self._on_closed = on_closed
        self._reader: SegmentReader | None = None
        self._timer: asyncio.TimerHandle | None = None
        # By the clock, so that numbers do not begin anew where players or caches know them from before.
        self._playlist = self._new_playlist(int(time.time() * 1000) // limits.HLS_SEGMENT_MS_MIN)
        self._listed: deque[Kept] = deque()
        self._gone: deque[Kept] = deque()
        "Left the playlist; players that have an older one may still ask for them."
        self._bodies: dict[str, bytes] = {}
        self._kept_bytes = 0
        self._init = (b"", "")
        "The newest initialisation section and its path."
        self._continues = False
        self._longest_ms = 0
        "How long segments are expected to become."

    # --- what there is ---

    def fetch(self, path: str) -> bytes | asyncio.Future[bytes] | None:
        """Return the file at *path*, now or later; None when it is not there."""
        return self._bodies.get(path)

    @property
    def rates(self) -> tuple[int, int]:
        """Highest and mean bits per second of the segments in the playlist."""
        return bit_rates((kept.size, kept.duration_ms) for kept in self._listed)

    @property
    def idle_seconds(self) -> float:
        """How long nobody need ask before that means that nobody watches."""
        return max(limits.HLS_IDLE_SECONDS, 3.0 * self._playlist.target)

    @property
    def ended(self) -> bool:
        return self._playlist.ended

    # --- the stream ---

    def begin(self, stream: Stream) -> None:
        """A publisher is there; the segments begin when its tracks are known."""
        self._close_reader()
        self.stream = stream
        if self._playlist.ended:
            self._begin_anew()
        if stream.settled:
            self._open(stream)
        else:
            self._hub.wait(self.name, self._open)

    def pause(self) -> None:
        """The publisher left: what it sent can be had at once."""
        self._hub.forget(self.name, self._open)
        self._close_reader()

    def end(self) -> None:
        """Nobody came back: the playlist is complete."""
        self.pause()
        self.stream = None
        self._playlist.ended = True
        self._show()
        self._set_timer(self.linger_seconds, self.close)

    @property
    def linger_seconds(self) -> float:
        """How long a complete playlist can be had."""
        return max(self.idle_seconds, self._playlist.length_ms / 1000)

    def close(self) -> None:
        """Forget everything."""
        if self.closed:
            return
        self.closed = True
        self._hub.forget(self.name, self._open)
        if self._timer is not None:
            self._timer.cancel()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._bodies.clear()
        self._on_closed(self)
        self._wake()

    # --- segments ---

    def _open(self, stream: Stream) -> None:
        if self.closed or stream is not self.stream or not stream.settled:
            return
        if not carried(stream.writer, self.options):
            log.info("hls of %s: it has no track that HLS can carry", self.name.url)
            self._look_again(stream)
            return
        clock_ms = int(time.time() * 1000) - stream.log.head_dts
        self._reader = SegmentReader(stream, self.options, continues=self._continues, clock_ms=clock_ms)
        self._continues = True
        self._pull()

    def _look_again(self, stream: Stream) -> None:
        """Go on when there is a track that HLS can carry: one that stalled comes back."""
        if self._leave_unasked():
            return
        if carried(stream.writer, self.options):
            self._open(stream)
        else:
            self._set_timer(limits.HLS_PULL_SECONDS, lambda: self._look_again(stream))

    def _leave_unasked(self) -> bool:
        """Close a shelf that is there on demand and asked for no more; return whether it was."""
        if not self.on_demand or self._loop.time() - self.asked <= self.idle_seconds:
            return False
        log.info("hls of %s is asked for no more", self.name.url)
        self.close()
        return True

    def _close_reader(self) -> None:
        """Take what was published up to now; read no more."""
        if self._timer is not None:
            self._timer.cancel()
        reader, self._reader = self._reader, None
        if reader is not None:
            self._longest_ms = reader.longest_ms
            try:
                segments = reader.finish()
            except Exception:
                log.exception("hls of %s: its end failed and is left out", self.name.url)
                reader.close()
                return
            for segment in segments:
                self._take(segment)

    def _pull(self) -> None:
        reader = self._reader
        if reader is None or self.stream is None:
            return
        if self._leave_unasked():
            return
        if self.on_demand:
            self._hurry(reader)
        try:
            segments = reader.pull()
        except Exception:
            log.exception("hls of %s failed; it is begun again", self.name.url)
            self._reopen_later(reader, self.stream)
            return
        self._longest_ms = reader.longest_ms
        for segment in segments:
            self._take(segment)
            if self.on_demand:
                self._hurry(reader)
        if reader.failed:
            self._reopen_later(reader, self.stream)
            return
        if reader.outdated and self.stream.settled:
            stream = self.stream
            self._close_reader()
            self._open(stream)
            return
        self._forget_gone()
        self._set_timer(limits.HLS_PULL_SECONDS, self._pull)

    def _reopen_later(self, reader: SegmentReader, stream: Stream) -> None:
        reader.close()
        self._reader = None
        self._set_timer(limits.HLS_RETRY_SECONDS, lambda: self._open(stream))

    def _hurry(self, reader: SegmentReader) -> None:
        """Short segments first: somebody waits for them."""
        options, count = self.options, len(self._listed)
        reader.segmenter.least_ms = options.least_ms
        reader.segmenter.most_ms = options.most_ms
        if count < limits.HLS_FIRST_SEGMENTS:
            reader.segmenter.least_ms = min(options.least_ms, limits.HLS_FIRST_MS)
        if not count:
            reader.segmenter.most_ms = min(options.most_ms, limits.HLS_FIRST_MS_MAX)

    def _take(self, segment: Segment) -> None:
        """Put a finished segment on the shelf."""
        kept = self._name(segment)
        self._bodies[kept.path] = segment.body
        if kept.init_path:
            self._bodies[kept.init_path] = segment.init
        self._list(kept)
        self._show()

    def _name(self, segment: Segment) -> Kept:
        """Give a segment the next number, and its name."""
        names, number = self.options.names, self._playlist.next
        begun = time.time() - segment.duration_ms / 1000
        if self.options.floor_ms:
            begun = begun * 1000 // self.options.floor_ms * self.options.floor_ms / 1000
        path = names.segment_path(self.name, number, segment.duration_ms, begun, mp4=bool(segment.init))
        if segment.init and segment.init != self._init[0]:
            self._init = (segment.init, names.init_path(self.name, number, begun))
        init_path = self._init[1] if segment.init else ""
        return Kept(path, init_path, len(segment.body), segment.duration_ms, segment.discontinuity)

    def _list(self, kept: Kept) -> None:
        """Put a segment that can be had into the playlist; what leaves it can be had for a while longer."""
        names, playlist = self.options.names, self._playlist
        playlist.expect(self._longest_ms)
        left = playlist.append(
            PlaylistEntry(
                names.uri(kept.path, self.path),
                kept.duration_ms,
                kept.discontinuity and playlist.next > self._first,
                names.uri(kept.init_path, self.path) if kept.init_path else "",
            )
        )
        self._listed.append(kept)
        self._kept_bytes += kept.size
        for _ in left:
            self._retire(self._listed.popleft())
        self._bound()

    def _retire(self, kept: Kept) -> None:
        # RFC 8216, 6.2.2: its own length and that of the longest playlist it was in.
        until = self._loop.time() + (kept.duration_ms + self._playlist.length_ms) / 1000
        self._gone.append(kept._replace(until=until))

    def _bound(self) -> None:
        """Hold the memory of the shelf within its limit."""
        while self._kept_bytes > limits.HLS_SHELF_BYTES and (self._gone or len(self._listed) > 3):
            if not self._gone:
                self._playlist.drop()
                self._gone.append(self._listed.popleft())
            self._drop(self._gone.popleft())

    def _forget_gone(self) -> None:
        now = self._loop.time()
        while self._gone and self._gone[0].until <= now:
            self._drop(self._gone.popleft())

    def _drop(self, kept: Kept) -> None:
        """Let a segment go that is in no playlist any more."""
        self._kept_bytes -= kept.size
        paths = [kept.path]
        if kept.init_path and kept.init_path != self._init[1]:
            needed = {other.init_path for other in (*self._gone, *self._listed)}
            paths += [kept.init_path] if kept.init_path not in needed else []
        self._discard(paths)

    def _discard(self, paths: list[str]) -> None:
        """Nobody is told of these files any more."""
        for path in paths:
            self._bodies.pop(path, None)

    # --- the playlist ---

    def _new_playlist(self, number: int, discontinuities: int = 0) -> Playlist:
        self._first = number
        return Playlist(self.options.window_ms, 0, sequence=number, discontinuities=discontinuities)

    def _begin_anew(self) -> None:
        """The stream comes back after its end: another presentation, whose numbers go on."""
        self.text = ""
        for kept in self._listed:
            self._retire(kept)
        old = self._playlist
        broken = sum(entry.discontinuity for entry in old.entries)
        self._listed.clear()
        self._playlist = self._new_playlist(old.next, old.discontinuities + broken + 1)
        self._continues = False

    def _show(self) -> None:
        """Let players have the playlist as it is now."""
        self.text = self._playlist.text() if self._listed else ""
        self._wake()

    def _wake(self) -> None:
        if self.text or self.closed or self._playlist.ended:
            waiting, self.waiting = self.waiting, set()
            for tell in waiting:
                try:
                    tell()
                except Exception:
                    # The others wait too, and so do the segments that are next.
                    log.exception("hls of %s: a request that waited failed", self.name.url)

    def _set_timer(self, seconds: float, what: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed:
            self._timer = self._loop.call_later(seconds, what)


def plain(text: str) -> str:
    """A playlist for everybody."""
    return text.replace(QUERY, "")
