"""All players of a server: those of the sender threads and those of the event loop."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from itertools import chain
from time import monotonic

from fastflv import limits
from fastflv._ext.fanout.loadwindow import LoadMeter
from fastflv._ext.fanout.sender import Sender, SendHandle
from fastflv._ext.log.medialog import MediaLog
from fastflv.net.turns import Turns
from fastflv.playing.givenstarts import GivenStarts
from fastflv.playing.loopplayer import LoopPlayer, TransportWire
from fastflv.playing.loopticker import LoopTicker
from fastflv.playing.player import Ended, Framing, Wire
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.stream.clients import PlayerLink
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.rewind import Rewind
from fastflv.stream.stream import AUTO_WINDOW, Stream, StreamOptions


class Players:
    """Starts plays, and learns from the sender threads which of them ended."""

    def __init__(self, loop: asyncio.AbstractEventLoop, turns: Turns, sender: Sender, hub: Hub) -> None:
        """*turns*: of the loop."""
        self.sender = sender
        self._turns = turns
        self._left: deque[SendHandle] = deque()
        "Those that the sender threads have given up, and whose plays are to be told."
        self._queued = False
        "The next of them waits for a turn of the loop."
        self.now = loop.time
        self._loop = loop
        self._hub = hub
        self._tickers: dict[tuple[MediaLog, int], LoopTicker] = {}
        self._meter = LoadMeter(monotonic())
        self._closing = False
        self.given = GivenStarts(loop, turns)
        self.crowd: Callable[[], None] = lambda: None
        "Called where a player comes or goes that a sender thread has, or had."
        self.stopping = False
        "The server stops: no player is handed to a sender thread any more."
        loop.add_reader(sender.fd, self.reap)

    def play(
        self, transport: asyncio.Transport, options: StreamOptions, framing: Framing, ended: Ended
    ) -> ThreadPlayer | LoopPlayer:
        """Return a play for a connection that the event loop goes on to read."""
        if transport.get_extra_info("sslcontext") is None:
            return ThreadPlayer(self, options, framing, ended, transport=transport)
        return LoopPlayer(self, options, framing, ended, TransportWire(transport))

    def write_to(self, wire: Wire, options: StreamOptions, framing: Framing, ended: Ended) -> LoopPlayer:
        """Return a play that the event loop serves, for the body of an answer."""
        return LoopPlayer(self, options, framing, ended, wire)

    def take_over(self, fd: int, options: StreamOptions, framing: Framing, ended: Ended) -> ThreadPlayer:
        """Return a play for a socket that nobody else uses any more."""
        self.crowd()
        return ThreadPlayer(self, options, framing, ended, fd=fd)

    def ticker(self, log: MediaLog, merge_window_ms: int) -> LoopTicker:
        """Return what serves the event loop's players of *log*."""
        key = (log, merge_window_ms)
        ticker = self._tickers.get(key)
        if ticker is None:

            def empty() -> None:
                del self._tickers[key]
                self.close_unread()

            meter = self._meter if merge_window_ms == AUTO_WINDOW else None
            ticker = self._tickers[key] = LoopTicker(self._loop, log, merge_window_ms, empty, meter)
        return ticker

    def adopt(self, stream: Stream, links: Iterable[PlayerLink], rewinds: Iterable[Rewind] = ()) -> None:
        """Give the players of *stream* its present options: the *links* of its clients, and the sender threads.

        *rewinds*: what is played of its past.
        """
        options = stream.options
        for link in links:
            link.adopt(options)
        for outlet in chain(stream.outlets, *(rewind.outlets for rewind in rewinds)):
            self.sender.configure(
                outlet.log,
                merge_window_ms=options.merge_window_ms,
                drop_ms=options.lag.drop_ms,
                jump_ms=options.lag.jump_ms,
                close_ms=options.lag.close_ms,
                pace_percent=options.pace_percent,
            )

    @property
    def windows_ms(self) -> dict[str, int]:
        """Merge windows that the load asks for, ms: those of the sender threads, and the event loop's."""
        threads = {str(number): window for number, window in enumerate(self.sender.windows_ms)}
        return {**threads, "loop": self._meter.window_ms}

    @property
    def count(self) -> int:
        """Players being served."""
        return self.sender.count + len(self._left) + sum(map(len, self._tickers.values()))

    def reason(self, reason: EndReason) -> EndReason:
        """Say *reason*, why a play ended, as it is for the player: streams that end with the server did not end."""
        return EndReason.SERVER_STOPS if self.stopping and reason is EndReason.STREAM_ENDED else reason

    def stop(self) -> None:
        """Disconnect all players and end the threads; blocks until they have ended."""
        self._loop.remove_reader(self.sender.fd)
        self.sender.stop()
        self._left.extend(self.sender.reap())
        while self._left:
            self._tell_next()
        self.close_unread()

    def reap(self) -> None:
        """Tell the plays whose sockets the sender threads have given up, as far as the time of the turn allows."""
        self._left.extend(self.sender.reap())
        if not self._queued:
            self._tell()

    def _tell(self) -> None:
        self._queued = False
        while self._left:
            if not self._turns.open():
                self._queued = True
                self._turns.queue(self._tell)
                return
            self._tell_next()

    def _tell_next(self) -> None:
        player = self._left.popleft()
        self.crowd()
        # One that another process goes on with has none.
        if player.owner is not None:
            player.owner.left(player)

    def close_unread(self) -> None:
        """Free the logs without a reader, once all that runs now is done."""
        if not self._closing:
            self._closing = True
            self._loop.call_soon(self._close_unread)

    def _close_unread(self) -> None:
        self._closing = False
        now = self.now()
        waits = [stream.outlets.close_unread(now) for stream in self._hub if len(stream.outlets) > 1]
        if any(waits):
            self._closing = True
            self._loop.call_later(limits.OUTLET_KEEP_SECONDS / 4, self._close_unread)
