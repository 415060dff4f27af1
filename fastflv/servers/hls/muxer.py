"""The HLS muxer of one stream: reads the stream into segments, stores them, and lists them in a playlist."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.config.model.hls import HlsOnError
from fastflv.net.deadline import Deadline
from fastflv.servers.hls.backlog import Backlog
from fastflv.servers.hls.crowd import Crowd
from fastflv.servers.hls.event import SegmentEvent
from fastflv.servers.hls.keyring import KeyRing
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentlist import NamedSegment
from fastflv.servers.hls.segmentreader import SegmentReader, carried
from fastflv.servers.hls.segmentwriter import SegmentWriter
from fastflv.servers.hls.store import SegmentStore, Stored
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream
from fastflv.stream.unhurried import Unhurried

log = logging.getLogger(__name__)


class HlsMuxer:
    """One stream's playlist and segments.

    `begin` at each publish, `pause` when the publisher left, `end` when no publisher returned; `close` at any
    time. The muxer closes itself when its segments are of no use any more, and calls *on_closed*.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        name: StreamName,
        options: HlsOptions,
        store: SegmentStore,
        keys: KeyRing | None,
        backlog: Backlog,
        *,
        on_closed: Callable[[HlsMuxer], None],
        drop_publisher: Callable[[Stream], None],
        tell: Callable[[SegmentEvent], None],
    ) -> None:
        self.name = name
        self.options = options
        self.asked = loop.time()
        "Loop time of the newest request."
        self.waiting = Crowd(loop, f"hls of {name.url}")
        "Requests that wait for the playlist; called also when there will be none."
        self.stream: Stream | None = None
        "The stream until its end."
        self.closed = False
        self.store = store
        self._keys = keys
        self._loop = loop
        self._hub = hub
        self._on_closed = on_closed
        self._drop_publisher = drop_publisher
        self._tell = tell
        self._published: tuple[AccessRequest | None, str] = (None, "")
        "Request of the newest publisher and id of its stream: the last segments may be stored after the end."
        self._writer = SegmentWriter(
            loop,
            name,
            options,
            store,
            keys,
            backlog,
            on_change=self._wake,
            on_stored=self._stored,
            on_ended=self._has_ended,
            on_error=self._fail,
        )
        self._held: Unhurried | None = None
        "Holds what a publish has sent until a reader is open."
        self._known = False
        "So much media came that it has all tracks, though the stream is not settled."
        self._reader: SegmentReader | None = None
        self._timer: Deadline | None = None
        self._suspended = False
        "A failed write ended HLS until the next publish."
        self._uncarried = False
        self._waits = False
        "The last pull was put off, since the store is behind."
        self._stands = False
        "The log has said that the publisher's clock stands still."
        self._completed_at = 0.0
        "Loop time when the playlist was complete; 0: it is live."

    # --- state ---

    @property
    def text(self) -> str:
        """The playlist as players get it, with QUERY behind its URIs; empty before the first segment."""
        return self._writer.text

    @property
    def path(self) -> str:
        """Path of the playlist."""
        return self._writer.segments.path

    @property
    def rates(self) -> tuple[int, int]:
        """Highest and mean bits per second of the segments in the playlist."""
        return self._writer.segments.rates

    @property
    def frame_rate(self) -> float:
        """Pictures a second in the segments of the playlist; 0.0 when unknown."""
        return self._writer.segments.frame_rate

    @property
    def ended(self) -> bool:
        """Whether the playlist is complete."""
        return self._writer.ended

    @property
    def is_reading(self) -> bool:
        """Whether a reader follows the stream now."""
        return self._reader is not None

    @property
    def backlog(self) -> int:
        """Finished segments that wait to be stored."""
        return self._writer.backlog

    @property
    def idle_seconds(self) -> float:
        """How long a watched playlist may go without a request."""
        return max(limits.HLS_IDLE_SECONDS, 3.0 * max(self._writer.segments.playlist.target, 1))

    def wait(self, woken: Callable[[], None]) -> None:
        """Have *woken* called when there is a playlist, or when there will be none."""
        self.waiting.add(woken)

    def fetch(self, path: str) -> Stored | None:
        """Return a segment or initialisation section; None for an unknown path."""
        return None if self._is_key(path) else self.store.fetch(path)

    def fetch_key(self, path: str) -> Stored | None:
        """Return a key that is served here; None for an unknown path."""
        return self._keys.store.fetch(path) if self._keys is not None and self._is_key(path) else None

    def _is_key(self, path: str) -> bool:
        return self.options.names.key_of(f"/{path}") == self.name

    async def written(self) -> None:
        """Wait until every finished segment is stored."""
        await self._writer.written()

    # --- the stream ---

    def begin(self, stream: Stream) -> None:
        """A publisher begins or returns; segments begin when the tracks are known."""
        self._close_reader()
        self._hub.forget(self.name, self._settled)
        self.stream = stream
        self._suspended = self._uncarried = self._stands = self._known = False
        if self.ended:
            self._begin_anew()
        self._writer.recover()
        if stream.settled:
            self._open()
        else:
            self._held = Unhurried(stream, stream.log.head, self._behind)
            self._hub.wait(self.name, self._settled)

    def pause(self) -> None:
        """The publisher left: store what was published."""
        self._hub.forget(self.name, self._settled)
        if self.stream is not None:
            self._published = self.stream.publisher, self.stream.id
        if self.stream is not None and self._held is not None and carried(self.stream.writer, self.options):
            # No more tracks will come.
            self._known = True
            self._open()
        self._known = False
        self._close_reader()

    def end(self) -> None:
        """No publisher returned: complete the playlist."""
        self.pause()
        self.stream = None
        self._writer.end()

    def stop(self) -> None:
        """The server stops. A playlist to be resumed after a restart stays open, any other ends."""
        if self.store.on_demand:
            self.close()
        elif self.stream is not None and self.options.recover:
            self.pause()
            self.stream = None
        elif self.stream is not None:
            self.end()

    def close(self) -> None:
        """Forget everything; files stay on disk."""
        if self.closed:
            return
        self.closed = True
        self.stream = None
        self._hub.forget(self.name, self._settled)
        if self._timer is not None:
            self._timer.cancel()
        self._let_go()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._writer.close()
        for store in self._writer.stores:
            store.close()
        self._on_closed(self)
        self._wake()

    def adopt(self, options: HlsOptions) -> list[str]:
        """Take new options; return the directives that act from the next publish on.

        Lengths act on the open segment, as far as the target duration allows. Other tracks or another container act
        at the next keyframe, behind a discontinuity. Path templates and the place of the files stay.
        """
        old = self.options
        waiting = old.names.changes(options.names)
        if options.folder != old.folder:
            waiting.append("hls_path")
        if options.key_folder != old.key_folder:
            waiting.append("hls_key_file_path")
        target_ms = 1000 * self._writer.target
        longest_ms = target_ms + limits.HLS_TARGET_ROUND_MS
        if target_ms and options.least_ms != old.least_ms and options.least_ms > longest_ms:
            waiting.append("hls_fragment")
        options = replace(options, names=old.names, folder=old.folder, key_folder=old.key_folder)
        self.options = self._writer.options = options
        self._writer.segments.playlist.playlist_ms = options.playlist_ms
        self._uncarried = False
        if self._reader is not None:
            self._reader.adopt(options)
        if self._completed_at:
            self._dispose_later()
        return waiting

    # --- reading ---

    def _settled(self, stream: Stream) -> None:
        if stream is not self.stream:
            return
        if self._reader is not None:
            # It was opened before: another reader follows if it lacks a track.
            self._pull()
        else:
            self._open()

    def _behind(self) -> None:
        """Media comes faster than time: read it before the timer."""
        if self._reader is not None:
            if not self._writer.is_behind:
                self._pull()
        elif not self._known:
            self._known = True
            self._open()

    def _let_go(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held.close()

    def _open(self) -> None:
        """Begin to read, unless a reader is open."""
        stream = self.stream
        if self.closed or self._suspended or self._reader is not None or stream is None:
            return
        if not (stream.settled or self._known):
            return
        if not carried(stream.writer, self.options):
            if not self._uncarried:
                self._uncarried = True
                log.info("hls of %s: it has no track that HLS can carry", self.name.url)
            self._let_go()
            # A stalled track may return, and so may options that include it.
            if not self._close_idle():
                self._set_timer(limits.HLS_PULL_SECONDS, self._open)
            return
        self._uncarried = False
        clock_ms = _wall_ms() - stream.log.head_dts
        try:
            self._reader = SegmentReader(
                stream, self.options, clock_ms=clock_ms, behind=self._behind, held=self._held
            )
        except Exception:
            log.exception("hls of %s cannot begin; it is tried again", self.name.url)
            if not self._close_idle():
                self._set_timer(limits.HLS_RETRY_SECONDS, self._open)
            return
        self._let_go()
        self._pull()

    def _close_idle(self) -> bool:
        """Close a muxer on demand that no viewer asks for; return whether it closed."""
        if not self.store.on_demand or self._loop.time() - self.asked <= self.idle_seconds:
            return False
        log.info("hls of %s closes: no viewer asked for %.0f s", self.name.url, self.idle_seconds)
        self.close()
        return True

    def _close_reader(self) -> None:
        """Read to the end of the log, and close the reader."""
        if self._timer is not None:
            self._timer.cancel()
        self._let_go()
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if self._writer.is_full:
            reader.close()
            return
        try:
            segments = reader.finish(_wall_ms())
        except Exception:
            log.exception("hls of %s: its last segment failed and is lost", self.name.url)
            reader.close()
            return
        self._writer.put(segments, reader.longest_ms)

    def _pull(self) -> None:
        reader, stream = self._reader, self.stream
        if reader is None or stream is None or self._close_idle():
            return
        self._writer.expire()
        self._waits = self._writer.is_behind
        if self._waits:
            self._set_timer(limits.HLS_PULL_SECONDS, self._pull)
            return
        self._set_lengths(reader)
        try:
            segments = reader.pull(_wall_ms())
        except Exception:
            log.exception("hls of %s failed; it is begun again", self.name.url)
            self._reopen_later(reader)
            return
        self._writer.put(segments, reader.longest_ms)
        if reader.segmenter.lost and not self._stands:
            self._stands = True
            log.warning(
                "hls of %s: the publisher's clock stands still; what it sends is dropped", self.name.url
            )
        if reader.failed:
            self._reopen_later(reader)
        elif reader.outdated and stream.settled:
            if reader.is_cut:
                # The next reader begins with the GOP of the open segment.
                reader.close()
                self._reader = None
            else:
                self._close_reader()
            self._open()
        else:
            self._set_timer(limits.HLS_PULL_SECONDS, self._pull)

    def _reopen_later(self, reader: SegmentReader) -> None:
        reader.close()
        self._reader = None
        self._set_timer(limits.HLS_RETRY_SECONDS, self._open)

    def _set_lengths(self, reader: SegmentReader) -> None:
        """Keep segments within the target duration, and the first ones short, since a viewer may wait for them."""
        options, segmenter, target_ms = self.options, reader.segmenter, 1000 * self._writer.target
        count = len(self._writer.segments) + self.backlog
        segmenter.limit_ms = target_ms + limits.HLS_TARGET_ROUND_MS if target_ms else 0
        segmenter.least_ms = min(options.least_ms, target_ms or options.least_ms)
        segmenter.most_ms = options.most_ms
        if count < limits.HLS_FIRST_SEGMENTS:
            segmenter.least_ms = min(segmenter.least_ms, limits.HLS_FIRST_MS)
        if not count:
            segmenter.most_ms = min(options.most_ms, limits.HLS_FIRST_MS_MAX)

    def _stored(self, segment: NamedSegment, number: int) -> None:
        if self.stream is not None:
            self._published = self.stream.publisher, self.stream.id
        publisher, stream_id = self._published
        if publisher is not None:
            names, folder = self.options.names, self.options.folder
            uri, duration_ms = names.uri(segment.path, self.path), segment.duration_ms
            event = SegmentEvent(
                publisher, stream_id, segment.path, self.path, folder, uri, number, duration_ms
            )
            self._tell(event)
        if self._waits and not self._writer.is_behind:
            self._pull()

    def _fail(self, error: OSError) -> None:
        """A segment could not be stored: do what `hls_on_error` demands."""
        stream = self.stream
        if stream is None or self.options.on_error is HlsOnError.CONTINUE:
            return
        if self.options.on_error is HlsOnError.DISCONNECT:
            self._drop_publisher(stream)
        elif self._reader is not None:
            self._suspended = True
            self._writer.drop_backlog()
            self._reader.close()
            self._reader = None

    # --- the end ---

    def _has_ended(self) -> None:
        self._wake()
        if self.closed:
            return
        if self.stream is not None:
            # A publisher came before the end was stored; its segments are next.
            self._begin_anew()
        elif self.store.on_demand and not self.text:
            self.close()
        else:
            self._completed_at = self._loop.time()
            self._dispose_later()

    def _begin_anew(self) -> None:
        """Begin another presentation, because the stream came back after its end."""
        self._completed_at = 0.0
        self._writer.begin_anew()

    def _dispose_later(self) -> None:
        # A complete playlist is played to its end.
        seconds = max(self.idle_seconds, self._writer.segments.playlist.length_ms / 1000)
        if not self.store.on_demand and self.options.dispose_seconds:
            seconds = self.options.dispose_seconds
        self._set_timer(self._completed_at + seconds - self._loop.time(), self._dispose)

    def _dispose(self) -> None:
        if self.options.dispose_seconds:
            for store in self._writer.stores:
                store.remove_all()
            log.info("hls of %s: its segments are removed", self.name.url)
        elif self.options.cleanup:
            self._writer.drop(self._writer.segments.expire_all(), delete=True)
        self.close()

    def _wake(self) -> None:
        """Call the requests that wait, if there is an answer for them."""
        if self.text or self.closed or self.ended:
            self.waiting.call(at_once=self.closed)

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed:
            # What viewers asked before is read first: the callback may find that nobody asks.
            self._timer = Deadline(self._loop, callback)
            self._timer.set(max(seconds, 0.0))


def _wall_ms() -> int:
    return int(time.time() * 1000)
