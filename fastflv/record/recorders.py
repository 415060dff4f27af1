"""All recordings of a server: begun by publishes and requests, finished by the ends of streams and by the server's."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from fastflv import limits
from fastflv.net.filepool import FileShare
from fastflv.record.event import RecordEvent, RecordStep, Watcher
from fastflv.record.options import RecordOptions
from fastflv.record.writes import Writes
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.record.recorder import Recorder

log = logging.getLogger(__name__)


class Recorders:
    """The recordings that are being written. A watcher of the hub.

    *options_of*: `dvr` of a stream, None where it is off, and where another process records it.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        files: FileShare,
        options_of: Callable[[StreamName], RecordOptions | None],
    ) -> None:
        self.watchers: list[Watcher] = []
        "Called with each event, behind its line in the log; hooks of the control plane belong here."
        self._loop = loop
        self._hub = hub
        self._options_of = options_of
        self._by_publish: dict[StreamName, Recorder] = {}
        "Of streams that are live; one that failed stays, so that no publisher who returns begins it anew."
        self._by_request: dict[StreamName, Recorder] = {}
        "Those that run and were not told to finish."
        self._running: set[Recorder] = set()
        "All that write, those that are finishing too."
        self._writes = Writes(files)
        self._begun = 0
        "Recordings since the start."
        self._stopped = False
        self.loaded = False
        "The code that records is there."

    def load(self) -> None:
        """Load the code that records, 0.3 MB: where a configuration records, or on a thread."""
        import fastflv.record.recorder  # noqa: F401

        self.loaded = True

    def __iter__(self) -> Iterator[Recorder]:
        return iter(self._running)

    def __len__(self) -> int:
        return len(self._running)

    # --- requests ---

    def start(self, stream: Stream, options: RecordOptions) -> None:
        """Record a stream from its newest keyframe on; no harm where a request has it recorded already."""
        if stream.name not in self._by_request and not self._stopped:
            recorder = self._by_request[stream.name] = self._record(stream, options, from_begin=False)
            recorder.begin()

    def stop_recording(self, name: StreamName) -> Recorder | None:
        """Finish what a request has recorded; None where none has."""
        recorder = self._by_request.pop(name, None)
        if recorder is not None:
            recorder.finish()
        return recorder

    def of(self, name: StreamName) -> Recorder | None:
        """Return the recording of a stream that is being written: that of a request, else that of `dvr`."""
        found = self._by_request.get(name) or self._by_publish.get(name)
        return found if found is not None and not found.ended else None

    # --- streams ---

    def stream_began(self, stream: Stream) -> None:
        """A publisher begins, or returns within the grace period."""
        if stream.name in self._by_publish or self._stopped:
            return
        options = self._options_of(stream.name)
        if options is not None and options.applies(stream.name):
            self._by_publish[stream.name] = self._record(stream, options, from_begin=True)

    def stream_left(self, stream: Stream) -> None:
        """The publisher left; another one may come within the grace period."""

    def stream_ended(self, stream: Stream) -> None:
        """No publisher returned within the grace period."""
        self._by_publish.pop(stream.name, None)
        self._by_request.pop(stream.name, None)
        for recorder in list(self._running):
            if recorder.stream is stream:
                recorder.finish()

    def look(self, stream: Stream) -> None:
        """Use the present options of a stream: begin its recording, change or finish it; one that failed begins anew."""
        options = self._options_of(stream.name)
        recorder = self._by_publish.get(stream.name)
        wanted = options is not None and options.applies(stream.name)
        if recorder is not None and not wanted:
            del self._by_publish[stream.name]
            recorder.finish()
        elif recorder is not None and options is not None and not recorder.ended:
            recorder.adopt(options)
        elif options is not None and wanted:
            self._by_publish[stream.name] = self._record(stream, options, from_begin=False)

    # --- the server ---

    def reconfigure(self) -> None:
        """Use the options of a reloaded configuration, for running recordings too."""
        for stream in self._hub:
            self.look(stream)

    async def stop(self) -> None:
        """Finish all files. Call it after publishers left, and before streams end."""
        self._stopped = True
        for recorder in list(self._running):
            recorder.finish()
        deadline = self._loop.time() + limits.RECORD_STOP_SECONDS
        while self._running and self._loop.time() < deadline:
            await asyncio.sleep(limits.STOP_STEP_SECONDS)
        for recorder in self._running:
            log.error("record of %s: its file is not finished; run fastflv repair", recorder.stream.name.url)

    def _record(self, stream: Stream, options: RecordOptions, *, from_begin: bool) -> Recorder:
        from fastflv.record.recorder import Recorder

        phases = limits.RECORD_PHASES
        self._begun += 1
        recorder = Recorder(
            self._loop,
            self._writes,
            stream,
            options,
            from_begin=from_begin,
            phase=self._begun % phases / phases,
            tell=self._tell,
            on_end=self._ended,
        )
        self._running.add(recorder)
        return recorder

    def _ended(self, recorder: Recorder) -> None:
        self._running.discard(recorder)
        if self._by_request.get(recorder.stream.name) is recorder:
            del self._by_request[recorder.stream.name]

    def _tell(self, event: RecordEvent) -> None:
        write_line(event)
        for watcher in self.watchers:
            try:
                watcher(event)
            except Exception:
                log.exception("a watcher of recordings failed")


def write_line(event: RecordEvent) -> None:
    """Write the line of an event to the log."""
    url = event.name.url
    if event.step is RecordStep.BEGAN:
        log.info("record of %s begins: %s", url, event.path)
    elif event.step is RecordStep.FINISHED:
        seconds = event.duration_ms / 1000
        log.info("record of %s is finished: %s, %.1f s, %d bytes", url, event.path, seconds, event.size)
    elif event.step is RecordStep.GAP:
        log.warning("record of %s: %s", url, event.reason)
    else:
        rest = f"; the rest of {event.path} needs fastflv repair" if event.path else ""
        log.error("record of %s stops: %s%s", url, event.reason, rest)
