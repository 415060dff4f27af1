"""Stores the finished segments of one stream, one at a time, and lists each once it is stored."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from typing import Any

from fastflv import limits
from fastflv.containers.playlist import read_playlist, target_of
from fastflv.containers.segmenter import Segment
from fastflv.servers.hls.backlog import Backlog
from fastflv.servers.hls.keyring import KeyRing
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentlist import NamedSegment, SegmentList
from fastflv.servers.hls.store import SegmentStore
from fastflv.stream.name import StreamName

log = logging.getLogger(__name__)


class SegmentWriter:
    """A queue of segments before a store, and the playlist of those that are stored.

    Callbacks: *on_change*, the playlist changed or ended; *on_stored*, a segment with its number is listed; *on_ended*, the end that was put is stored, or could not be; *on_error*, a segment could not be stored.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        name: StreamName,
        options: HlsOptions,
        store: SegmentStore,
        keys: KeyRing | None,
        queue: Backlog,
        *,
        on_change: Callable[[], None],
        on_stored: Callable[[NamedSegment, int], None],
        on_ended: Callable[[], None],
        on_error: Callable[[OSError], None],
    ) -> None:
        self.options = options
        self.text = ""
        "The playlist as players get it, with QUERY behind its URIs; empty before the first segment."
        self.target = 0
        "Target duration, seconds, of the presentation that segments are put for; 0 before its first one."
        # Without an old playlist numbers begin at the clock, so that they never recur in caches.
        first = int(time.time() * 1000) // limits.HLS_SEGMENT_MS_MIN if store.on_demand else 0
        self.segments = SegmentList(name, options.names, options.playlist_ms, first)
        self._recovered = store.on_demand or not options.recover
        "Whether the playlist of an earlier process was resumed, or there is none."
        self._loop = loop
        self._name = name
        self._store = store
        self._keys = keys
        self._on_change = on_change
        self._on_stored = on_stored
        self._on_ended = on_ended
        self._on_error = on_error
        self._queue = queue
        self._worker: asyncio.Task[None] | None = None
        self._lost = False
        "A segment was lost, so that the next one does not continue the one before."
        self._failing = False
        self._closed = False

    @property
    def backlog(self) -> int:
        """Segments that wait to be stored."""
        return self._queue.segments

    @property
    def is_behind(self) -> bool:
        """Whether the store cannot keep up, so that no segment should be put for now."""
        return self._queue.is_behind and self._note_failure()

    @property
    def is_full(self) -> bool:
        """Whether not even the last segments of a publish should be put."""
        return self._queue.is_full and self._note_failure()

    def _note_failure(self) -> bool:
        if not self._failing:
            self._failing = True
            log.error("hls of %s: the disk cannot keep up; segments come late or are lost", self._name.url)
        return True

    @property
    def ended(self) -> bool:
        """Whether the playlist is complete."""
        return self.segments.playlist.ended

    def recover(self) -> None:
        """Resume the playlist of an earlier process, if that was not done: viewers are to have it before the first segment."""
        if not self._recovered:
            self._run()

    def put(self, segments: Sequence[Segment], longest_ms: int) -> None:
        """Store segments behind those put before. *longest_ms*: the longest segment to be expected."""
        if not segments:
            return
        if not self.target:
            self.target = target_of(max(longest_ms, *(segment.duration_ms for segment in segments)))
        self._queue.put(segments, self.target)
        self._run()

    def end(self) -> None:
        """Complete the playlist behind the segments put before; *on_ended* follows."""
        self._queue.put_end()
        self.target = 0
        self._run()

    def begin_anew(self) -> None:
        """Begin another presentation, because the stream came back after its end."""
        self.text = ""
        if self._keys is not None:
            self._keys.renew()
        self.segments.begin_anew(self._loop.time())

    def drop_backlog(self) -> None:
        """Forget the segments that are not stored yet."""
        self._queue.drop(ends=False)

    def expire(self) -> None:
        """Drop the segments that no player may ask for any more."""
        self.drop(self.segments.expire(self._loop.time()), delete=self.options.cleanup)

    def drop(self, paths: list[str], *, delete: bool) -> None:
        """Stop serving files and keys; *delete*: also remove them from the disk."""
        for store in self.stores if paths else ():
            store.drop(paths, delete=delete)

    @property
    def stores(self) -> set[SegmentStore]:
        """The store of the segments, and that of the keys where it is another."""
        return {self._store} if self._keys is None else {self._store, self._keys.store}

    def close(self) -> None:
        """Store and list nothing more."""
        self._closed = True
        self._queue.drop(ends=True)
        # They refer to the owner: both would stay until the collector comes.
        self._on_change = self._on_ended = lambda: None
        self._on_stored = lambda segment, number: None
        self._on_error = lambda error: None

    async def written(self) -> None:
        """Wait until every segment is stored."""
        while self._worker is not None and not self._worker.done():
            await asyncio.wait([self._worker])

    def _run(self) -> None:
        if self._worker is None or self._worker.done():
            self._worker = self._loop.create_task(self._work())

    async def _work(self) -> None:
        if not self._recovered:
            await self._attempt(self._recover)
            self._recovered = True
        while self._queue and not self._closed:
            item = self._queue.take()
            if item is None:
                await self._attempt(self._complete)
                self._on_ended()
            elif await self._attempt(partial(self._store_segment, *item)):
                if self._failing and not self._queue:
                    self._failing = False
                    log.info("hls of %s is written again", self._name.url)
            else:
                self._lost = True

    async def _attempt(self, step: Callable[[], Coroutine[Any, Any, None]]) -> bool:
        """Do one step of the worker; return whether it succeeded."""
        try:
            await step()
        except OSError as error:
            if not self._failing:
                self._failing = True
                log.error("hls of %s: %s: %s", self._name.url, error.filename, error.strerror)
            self._on_error(error)
            return False
        except Exception:
            log.exception("hls of %s: a segment failed and is lost", self._name.url)
            return False
        return True

    async def _recover(self) -> None:
        text = await self._store.read_playlist()
        old = read_playlist(text, self.options.playlist_ms) if text else None
        if old is None or self._closed:
            return
        log.info("hls of %s continues behind segment %d", self._name.url, old.next - 1)
        paths, sizes = list(self.segments.resume(old)), dict[str, int]()
        for store in self.stores:
            sizes.update(await store.restore(paths))
        self.segments.set_sizes(sizes)
        # The target duration of a playlist never changes: another `hls_fragment` needs another presentation.
        longer = (
            max([self.options.least_ms, *self._queue.durations()])
            > 1000 * old.target + limits.HLS_TARGET_ROUND_MS
        )
        if longer or text.rstrip().endswith("#EXT-X-ENDLIST"):
            self.begin_anew()
        else:
            if not self._queue.has_end:
                self.target = old.target
            self.text = old.text()

    async def _store_segment(self, segment: Segment, target: int) -> None:
        if self.ended:
            self.begin_anew()
        named = self.segments.name_segment(segment, self.options.floor_ms)
        named.discontinuity |= self._lost
        body = segment.body
        if self._keys is not None:
            number, per_key = self.segments.playlist.next, self.options.fragments_per_key
            sealed = await self._keys.seal(body, number, segment.begun_ms / 1000, per_key)
            body, named.key_path, named.iv = sealed.body, sealed.key_path, sealed.iv
            named.size = len(body)
        files = [(named.path, body)]
        if named.init_path and self._store.fetch(named.init_path) is None:
            files.insert(0, (named.init_path, segment.init))
        await self._store.write(files)
        if self._closed:
            return
        self._lost = False
        self.segments.append(named, target, self._loop.time())
        while self._store.is_full and (paths := self.segments.evict()):
            self.drop(paths, delete=True)
        number = self.segments.playlist.next - 1
        await self._show()
        self._on_stored(named, number)

    async def _complete(self) -> None:
        self.segments.playlist.ended = True
        await self._show()

    async def _show(self) -> None:
        """Store the playlist, then let players have it."""
        text = self.segments.playlist.text() if len(self.segments) else ""
        if text:
            await self._store.write_playlist(text)
        if not self._closed:
            self.text = text
            self._on_change()
