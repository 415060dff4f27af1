"""The HLS muxer of one stream: reads the stream into segments, stores them, and lists them in a playlist."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from typing import Any

from fastflv import limits
from fastflv.config.model.hls import HlsOnError
from fastflv.containers.playlist import read_playlist
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentlist import SegmentList
from fastflv.servers.hls.segmentreader import SegmentReader, carried
from fastflv.servers.hls.store import SegmentStore, Stored
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)


class HlsMuxer:
    """One stream's playlist and segments.

    `begin` at each publish, `pause` when the publisher left, `end` when no publisher returned; `close` at any
    time. The muxer closes itself when its segments are of no use any more, and calls *on_closed*. Segments are
    stored one at a time by a task; a segment is listed once it is stored.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        name: StreamName,
        options: HlsOptions,
        store: SegmentStore,
        *,
        on_closed: Callable[[HlsMuxer], None],
        drop_publisher: Callable[[Stream], None],
    ) -> None:
        self.name = name
        self.options = options
        self.text = ""
        "The playlist as players get it, with QUERY behind its URIs; empty before the first segment."
        self.asked = loop.time()
        "Loop time of the newest request."
        self.waiting: set[Callable[[], None]] = set()
        "Callbacks of requests that wait for the playlist; called once, also when there will be none."
        self.stream: Stream | None = None
        "The stream until its end."
        self.closed = False
        self.store = store
        self._loop = loop
        self._hub = hub
        self._on_closed = on_closed
        self._drop_publisher = drop_publisher
        # Without an old playlist numbers begin at the clock, so that they never recur in caches.
        first = int(time.time() * 1000) // limits.HLS_SEGMENT_MS_MIN if store.on_demand else 0
        self._list = SegmentList(name, options.names, options.playlist_ms, first)
        self._reader: SegmentReader | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._queue: deque[Segment | None] = deque()
        "Segments to be stored; None: the playlist has ended."
        self._worker: asyncio.Task[None] | None = None
        self._recovered = store.on_demand or not options.recover
        "The playlist of an earlier process was resumed, or there is none."
        self._longest_ms = 0
        self._lost = False
        "A segment was lost, so that the next one does not continue the one before."
        self._failing = False
        self._suspended = False
        "A failed write ended HLS until the next publish."
        self._uncarried = False
        self._completed_at = 0.0
        "Loop time when the playlist was complete; 0: it is live."

    # --- state ---

    @property
    def path(self) -> str:
        """Path of the playlist."""
        return self._list.path

    @property
    def rates(self) -> tuple[int, int]:
        """Highest and mean bits per second of the segments in the playlist."""
        return self._list.rates

    @property
    def ended(self) -> bool:
        """Whether the playlist is complete."""
        return self._list.playlist.ended

    @property
    def is_reading(self) -> bool:
        """Whether a reader follows the stream now."""
        return self._reader is not None

    @property
    def backlog(self) -> int:
        """Finished segments that wait to be stored."""
        return len(self._queue)

    @property
    def idle_seconds(self) -> float:
        """How long a watched playlist may go without a request."""
        return max(limits.HLS_IDLE_SECONDS, 3.0 * self._list.playlist.target)

    def fetch(self, path: str) -> Stored | None:
        """Return a segment or initialisation section; None for an unknown path."""
        return self.store.fetch(path)

    async def written(self) -> None:
        """Wait until every finished segment is stored."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    # --- the stream ---

    def begin(self, stream: Stream) -> None:
        """A publisher begins or returns; segments begin when the tracks are known."""
        self._close_reader()
        self._hub.forget(self.name, self._settled)
        self.stream = stream
        self._suspended = self._uncarried = False
        if self.ended:
            self._begin_anew()
        if stream.settled:
            self._open()
        else:
            self._hub.wait(self.name, self._settled)

    def pause(self) -> None:
        """The publisher left: store what was published."""
        self._hub.forget(self.name, self._settled)
        self._close_reader()

    def end(self) -> None:
        """No publisher returned: complete the playlist."""
        self.pause()
        self.stream = None
        self._queue.append(None)
        self._run()

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
        self._hub.forget(self.name, self._settled)
        if self._timer is not None:
            self._timer.cancel()
        if self._reader is not None:
            self._reader.close()
            self._reader = None
        self._queue.clear()
        self.store.close()
        self._on_closed(self)
        self._wake()

    def adopt(self, options: HlsOptions) -> list[str]:
        """Take new options; return the directives that act from the next publish on.

        Lengths act on the open segment, other tracks or another container at the next keyframe, behind a
        discontinuity. Path templates and the place of the files stay.
        """
        old = self.options
        waiting = old.names.changes(options.names)
        if options.folder != old.folder:
            waiting.append("hls_path")
        self.options = options = replace(options, names=old.names, folder=old.folder)
        self._list.playlist.playlist_ms = options.playlist_ms
        self._uncarried = False
        if self._reader is not None:
            self._reader.adopt(options)
        if self._completed_at:
            self._dispose_later()
        return waiting

    # --- reading ---

    def _settled(self, stream: Stream) -> None:
        if stream is self.stream:
            self._open()

    def _open(self) -> None:
        """Begin to read, unless a reader is open or an old playlist has to be resumed first."""
        stream = self.stream
        if self.closed or self._suspended or self._reader is not None or stream is None or not stream.settled:
            return
        if not self._recovered:
            self._run()
            return
        if not carried(stream.writer, self.options):
            if not self._uncarried:
                self._uncarried = True
                log.info("hls of %s: it has no track that HLS can carry", self.name.url)
            # A stalled track may return, and so may options that include it.
            if not self._close_idle():
                self._set_timer(limits.HLS_PULL_SECONDS, self._open)
            return
        self._uncarried = False
        clock_ms = int(time.time() * 1000) - stream.log.head_dts
        try:
            self._reader = SegmentReader(stream, self.options, clock_ms=clock_ms)
        except Exception:
            log.exception("hls of %s cannot begin; it is tried again", self.name.url)
            if not self._close_idle():
                self._set_timer(limits.HLS_RETRY_SECONDS, self._open)
            return
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
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if self._is_behind():
            reader.close()
            return
        self._longest_ms = reader.longest_ms
        try:
            segments = reader.finish()
        except Exception:
            log.exception("hls of %s: its last segment failed and is lost", self.name.url)
            reader.close()
            return
        self._take(segments)

    def _pull(self) -> None:
        reader, stream = self._reader, self.stream
        if reader is None or stream is None or self._close_idle():
            return
        self._expire()
        if self._is_behind():
            self._set_timer(limits.HLS_PULL_SECONDS, self._pull)
            return
        if self.store.on_demand:
            self._shorten(reader)
        try:
            segments = reader.pull()
        except Exception:
            log.exception("hls of %s failed; it is begun again", self.name.url)
            self._reopen_later(reader)
            return
        self._longest_ms = reader.longest_ms
        self._take(segments)
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

    def _is_behind(self) -> bool:
        """Whether the store cannot keep up. The log bounds what is read later; older media is lost."""
        if len(self._queue) < limits.HLS_BACKLOG:
            return False
        if not self._failing:
            self._failing = True
            log.error("hls of %s: the disk cannot keep up; segments come late or are lost", self.name.url)
        return True

    def _shorten(self, reader: SegmentReader) -> None:
        """Make the first segments short, since a viewer waits for them."""
        options, segmenter, count = self.options, reader.segmenter, len(self._list) + len(self._queue)
        segmenter.least_ms, segmenter.most_ms = options.least_ms, options.most_ms
        if count < limits.HLS_FIRST_SEGMENTS:
            segmenter.least_ms = min(options.least_ms, limits.HLS_FIRST_MS)
        if not count:
            segmenter.most_ms = min(options.most_ms, limits.HLS_FIRST_MS_MAX)

    # --- storing ---

    def _take(self, segments: list[Segment]) -> None:
        if segments:
            self._queue.extend(segments)
            self._run()

    def _run(self) -> None:
        """Have the worker do what is to be done, if it does not already."""
        if self._worker is None or self._worker.done():
            self._worker = self._loop.create_task(self._work())

    async def _work(self) -> None:
        if not self._recovered:
            await self._guard(self._recover)
            self._recovered = True
            self._open()
        while self._queue and not self.closed:
            segment = self._queue.popleft()
            if segment is None:
                await self._guard(self._complete)
                self._after_completion()
            elif await self._guard(partial(self._store_segment, segment)):
                if self._failing and not self._queue:
                    self._failing = False
                    log.info("hls of %s is written again", self.name.url)
            else:
                self._lost = True

    async def _guard(self, step: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Do one step of the worker; return whether it succeeded."""
        try:
            await step()
        except OSError as error:
            self._fail(error)
            return False
        except Exception:
            log.exception("hls of %s: a segment failed and is lost", self.name.url)
            return False
        return True

    async def _store_segment(self, segment: Segment) -> None:
        named = self._list.name_segment(segment, time.time(), self.options.floor_ms)
        named.discontinuity |= self._lost
        files = [(named.path, segment.body)]
        if named.init_path and self.store.fetch(named.init_path) is None:
            files.insert(0, (named.init_path, segment.init))
        await self.store.write(files)
        if self.closed:
            return
        self._lost = False
        self._list.append(named, self._longest_ms, self._loop.time())
        while self.store.is_full and (paths := self._list.evict()):
            self.store.drop(paths, delete=True)
        await self._show()

    async def _show(self) -> None:
        """Store the playlist, then let players have it."""
        text = self._list.playlist.text() if len(self._list) else ""
        if text:
            await self.store.write_playlist(text)
        self.text = text
        self._wake()

    def _fail(self, error: OSError) -> None:
        """Files cannot be written: do what `hls_on_error` demands."""
        if not self._failing:
            self._failing = True
            log.error("hls of %s: %s: %s", self.name.url, error.filename, error.strerror)
        stream = self.stream
        if stream is None or self.options.on_error is HlsOnError.CONTINUE:
            return
        if self.options.on_error is HlsOnError.DISCONNECT:
            self._drop_publisher(stream)
        elif self._reader is not None:
            self._suspended = True
            self._queue = deque(each for each in self._queue if each is None)
            self._reader.close()
            self._reader = None

    async def _recover(self) -> None:
        """Continue the playlist that an earlier process left."""
        text = await self.store.read_playlist()
        old = read_playlist(text, self.options.playlist_ms) if text else None
        if old is None or self.closed:
            return
        log.info("hls of %s continues behind segment %d", self.name.url, old.next - 1)
        self._list.set_sizes(await self.store.restore(list(self._list.resume(old))))
        if text.rstrip().endswith("#EXT-X-ENDLIST"):
            self._begin_anew()
        else:
            self.text = old.text()

    # --- the end ---

    async def _complete(self) -> None:
        """Complete the playlist."""
        self._list.playlist.ended = True
        await self._show()

    def _after_completion(self) -> None:
        self._wake()
        if self.closed:
            return
        if self.stream is not None:
            # A publisher came before the end was stored; its segments are next.
            self._begin_anew()
        else:
            self._completed_at = self._loop.time()
            self._dispose_later()

    def _begin_anew(self) -> None:
        """Begin another presentation, because the stream came back after its end."""
        self.text = ""
        self._completed_at = 0.0
        self._list.begin_anew(self._loop.time())

    def _dispose_later(self) -> None:
        # A complete playlist is played to its end.
        seconds = max(self.idle_seconds, self._list.playlist.length_ms / 1000)
        if not self.store.on_demand and self.options.dispose_seconds:
            seconds = self.options.dispose_seconds
        self._set_timer(self._completed_at + seconds - self._loop.time(), self._dispose)

    def _dispose(self) -> None:
        if self.options.dispose_seconds:
            self.store.remove_all()
            log.info("hls of %s: its segments are removed", self.name.url)
        elif self.options.cleanup:
            self.store.drop(self._list.expire_all(), delete=True)
        self.close()

    def _expire(self) -> None:
        paths = self._list.expire(self._loop.time())
        if paths:
            self.store.drop(paths, delete=self.options.cleanup)

    def _wake(self) -> None:
        """Call the requests that wait, if there is an answer for them."""
        if self.text or self.closed or self.ended:
            waiting, self.waiting = self.waiting, set()
            for callback in waiting:
                try:
                    callback()
                except Exception:
                    # One failed request stops neither the others nor the segments.
                    log.exception("hls of %s: a request that waited failed", self.name.url)

    def _set_timer(self, seconds: float, callback: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        if not self.closed:
            self._timer = self._loop.call_later(max(seconds, 0.0), callback)
