"""All streams by name: who may publish, who waits for whom, what ends when."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Protocol

from fastflv import limits
from fastflv.errors import StreamBusyError
from fastflv.stream.histogram import Delays
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream, StreamOptions
from fastflv.stream.tracks import TrackMemory

log = logging.getLogger(__name__)

Waiter = Callable[[Stream], None]


class Switch(Enum):
    """Why another publisher of a live stream is played; its value is the text of log lines and metrics."""

    SILENT = "silent"
    "The one before sent nothing for `failover`."

    LEFT = "left"
    "The one before ended."

    FAILBACK = "failback"
    "The primary one is back, and `failback` is on."

    TAKEOVER = "takeover"
    "A new publisher took the place of one of its role."

    __hash__ = object.__hash__


class Watcher(Protocol):
    """Is told of every stream."""

    def stream_began(self, stream: Stream) -> None:
        """A publisher starts, for the first time or within the grace of the one before."""

    def stream_left(self, stream: Stream) -> None:
        """The publisher is gone; another may come."""

    def stream_ended(self, stream: Stream) -> None:
        """No publisher returned within the grace period, or the server stops."""


class Hub:
    """The registry of streams. Only live streams and those in grace are kept; a name that is only asked
    for costs one entry while somebody waits, and nothing after that."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._streams: dict[StreamName, Stream] = {}
        self._waiters: dict[StreamName, dict[Waiter, None]] = {}
        self.id_for: Callable[[StreamName], str] = lambda name: new_id()
        "Makes the id of a new stream."
        self._promised: dict[StreamName, str] = {}
        "Ids of streams that are not there yet, the one asked for longest ago first."
        self.delays = Delays()
        self.memory = TrackMemory()
        "The tracks that streams had when their publishers left."
        self.received_before: Counter[str] = Counter()
        "Bytes of media that came for streams that have ended, by vhost."
        self.switches: Counter[Switch] = Counter(dict.fromkeys(Switch, 0))
        "How often another publisher of a live stream took over."
        self.expects_edges = False
        "Edges may come that have a stream from elsewhere until now: streams keep the past for them. It stays so until the end."
        self.watchers: list[Watcher] = []
        "Told in this order."

    def __iter__(self) -> Iterator[Stream]:
        return iter(self._streams.values())

    def __len__(self) -> int:
        return len(self._streams)

    def find(self, name: StreamName) -> Stream | None:
        """Return the stream, live or in grace, or None."""
        return self._streams.get(name)

    def id_of(self, name: StreamName) -> str:
        """Return the id of a stream, or the one that it will have when it begins."""
        stream = self._streams.get(name)
        if stream is not None:
            return stream.id
        id = self._promised.pop(name, "") or self.id_for(name)
        self._promised[name] = id
        if len(self._promised) > limits.STREAM_IDS_PROMISED:
            del self._promised[next(iter(self._promised))]
        return id

    def publish(self, name: StreamName, options: StreamOptions, publisher_id: str, now_ms: int) -> Stream:
        """Begin a publish; within the grace period of the last publisher the same stream goes on.

        Raises StreamBusyError when somebody publishes that name already.
        """
        stream = self._streams.get(name)
        if stream is not None and stream.phase is Phase.LIVE:
            raise StreamBusyError(f"stream {name.url} has a publisher already, client {stream.publisher_id}")
        if stream is None:
            id = self._promised.pop(name, "") or self.id_for(name)
            stream = self.new_stream(name, options, id, now_ms)
            self._streams[name] = stream
        elif stream.options != options:
            stream.adopt(options)
        self._begin(stream, publisher_id, now_ms)
        return stream

    def resume(self, stream: Stream) -> None:
        """Take a stream that another process has handed over; `begin_watch` tells the watchers."""
        self._streams[stream.name] = stream
        if self.expects_edges:
            stream.keep_past()

    def begin_watch(self, stream: Stream) -> None:
        """Tell the watchers of a stream that was resumed, if it has a publisher."""
        if stream.phase is Phase.LIVE:
            for watcher in self.watchers:
                _tell(watcher.stream_began, stream)

    def new_stream(self, name: StreamName, options: StreamOptions, id: str, now_ms: int) -> Stream:
        """Return a stream that is not in the hub yet."""
        return Stream(name, options, id=id, now_ms=now_ms, delays=self.delays, resumable=self.expects_edges)

    def expect_edges(self) -> None:
        """An edge came, or may come: all streams keep the past for it from now on."""
        if not self.expects_edges:
            self.expects_edges = True
            for stream in self._streams.values():
                stream.keep_past()

    def switch(
        self, stream: Stream, publisher_id: str, why: Switch, *, left_ms: int, now_ms: int, kept_ms: int
    ) -> None:
        """Another publisher goes on where the one of a live stream stopped at *left_ms* (monotonic clock).

        *kept_ms*: media of the new one that follows at once, by its own time.
        """
        self.switches[why] += 1
        self._leave(stream, left_ms)
        self._begin(stream, publisher_id, now_ms, kept_ms)

    def unpublish(self, stream: Stream, now_ms: int) -> None:
        """The publisher left. Without grace, or without media and players, the stream ends at once; call `expire` later otherwise."""
        if stream.phase is not Phase.LIVE:
            return
        self._leave(stream, now_ms)
        if stream.options.grace_ms == 0 or not (stream.had_media or stream.is_read):
            self._end(stream)

    def settle(self, stream: Stream, now_ms: int) -> None:
        """Look whether the tracks of a stream are known, and tell those who wait for it."""
        if stream.settle(now_ms):
            for waiter in self._waiters.pop(stream.name, ()):
                _tell(waiter, stream)

    def expire(self, stream: Stream, now_ms: int) -> bool:
        """End a stream whose grace is over; return whether it ended."""
        if stream.phase is Phase.GRACE and now_ms - stream.left_ms >= stream.options.grace_ms:
            self._end(stream)
            return True
        return False

    def cut_grace(self, stream: Stream) -> None:
        """End a stream before its grace is over."""
        if stream.phase is Phase.GRACE:
            self._end(stream)

    def wait(self, name: StreamName, waiter: Waiter) -> None:
        """Have *waiter* called once, when the stream is there and its tracks are known."""
        self._waiters.setdefault(name, {})[waiter] = None

    def forget(self, name: StreamName, waiter: Waiter) -> None:
        """Take a waiter back; no harm when it was called already."""
        waiters = self._waiters.get(name)
        if waiters is not None:
            waiters.pop(waiter, None)
            if not waiters:
                del self._waiters[name]

    def is_awaited(self, name: StreamName) -> bool:
        """Somebody waits for the stream."""
        return name in self._waiters

    @property
    def waiting(self) -> int:
        """Requests that wait for a stream."""
        return sum(map(len, self._waiters.values()))

    def end_all(self) -> None:
        """The server stops: every stream ends."""
        for stream in list(self._streams.values()):
            self._end(stream)

    def _begin(self, stream: Stream, publisher_id: str, now_ms: int, kept_ms: int = 0) -> None:
        stream.begin(publisher_id, now_ms, self.memory.recall(stream.name), kept_ms=kept_ms)
        for watcher in self.watchers:
            _tell(watcher.stream_began, stream)

    def _leave(self, stream: Stream, now_ms: int) -> None:
        if stream.settled:
            self.memory.keep(stream.name, stream.tracks)
        stream.leave(now_ms)
        for watcher in self.watchers:
            _tell(watcher.stream_left, stream)

    def _end(self, stream: Stream) -> None:
        stream.end()
        del self._streams[stream.name]
        self.received_before[stream.name.vhost] += stream.writer.bytes
        for watcher in self.watchers:
            _tell(watcher.stream_ended, stream)


def _tell(told: Waiter, stream: Stream) -> None:
    """Call *told*, and log what it fails at: the others are told too, and the publisher goes on."""
    try:
        told(stream)
    except Exception:
        log.exception("stream %s: one that was told of it failed", stream.name.url)
