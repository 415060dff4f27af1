"""Graces: streams whose publishers have left, each with the time at which it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from functools import partial
from typing import NamedTuple

from fastflv import limits
from fastflv.net.deadline import Deadline, Timers
from fastflv.net.peer import Peer
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Phase, Stream

log = logging.getLogger(__name__)


class Grace(NamedTuple):
    """One stream without a publisher."""

    stream: Stream
    peer: Peer
    "The connection that published it."

    deadline: Deadline


class Graces:
    """All streams in grace, the one that was left longest first.

    Streams that somebody plays are bounded by the connections of their players. Of the others each connection keeps
    GRACES_PER_CONNECTION and the server GRACES_MAX; beyond that the oldest ends at once.
    """

    def __init__(self, timers: Timers, hub: Hub) -> None:
        self._timers = timers
        self._hub = hub
        self._graces: dict[StreamName, Grace] = {}

    def __len__(self) -> int:
        return len(self._graces)

    def begin(self, stream: Stream, peer: Peer) -> None:
        """End *stream*, which *peer* published, when its grace period is over."""
        self.cancel(stream.name)
        if stream.phase is Phase.GRACE:
            self._graces[stream.name] = Grace(stream, peer, self._deadline(stream))
            self._bound(
                (grace for grace in self._graces.values() if grace.peer == peer), limits.GRACES_PER_CONNECTION
            )
            if len(self._graces) > limits.GRACES_MAX:
                self._bound(self._graces.values(), limits.GRACES_MAX)

    def adopt(self, stream: Stream) -> None:
        """Take the grace period of new options; without effect on a stream that is not in grace."""
        grace = self._graces.get(stream.name)
        if grace is not None:
            grace.deadline.cancel()
            self._graces[stream.name] = grace._replace(deadline=self._deadline(stream))

    def cancel(self, name: StreamName) -> None:
        """A publisher returned; no harm when the stream is not in grace."""
        grace = self._graces.pop(name, None)
        if grace is not None:
            grace.deadline.cancel()

    def _deadline(self, stream: Stream) -> Deadline:
        rest = stream.options.grace_ms - (self._now_ms() - stream.left_ms)
        deadline = Deadline(self._timers, partial(self._expire, stream, stream.left_ms))
        # The stream counts whole milliseconds.
        deadline.set(max(rest, 0) / 1000 + 0.002)
        return deadline

    def _now_ms(self) -> int:
        return int(self._timers.time() * 1000)

    def _expire(self, stream: Stream, left_ms: int) -> None:
        self.cancel(stream.name)
        if stream.left_ms == left_ms and self._hub.expire(stream, self._now_ms()):
            log.info("stream %s ended: no publisher returned within the grace period", stream.name.url)

    def _bound(self, graces: Iterable[Grace], most: int) -> None:
        """End the oldest of *graces* that nobody plays, so that *most* of those stay."""
        unread = [grace.stream for grace in graces if not grace.stream.is_read]
        for stream in unread[: max(len(unread) - most, 0)]:
            self.cancel(stream.name)
            self._hub.cut_grace(stream)
            log.info("stream %s ended: nobody plays it, and %d newer ones wait too", stream.name.url, most)
