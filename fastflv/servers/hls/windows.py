"""The windows of all streams: each is there from its first viewer on until its stream has ended and been played."""

from __future__ import annotations

import asyncio
from functools import partial

from fastflv import limits
from fastflv.config.routes import WINDOW_INIT, WINDOW_SEGMENT
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.window import HlsWindow, WindowView
from fastflv.servers.hls.windowlist import PastSegment
from fastflv.stream.moment import WindowWish
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream


class HlsWindows:
    """At most one window a stream. A watcher of the hub."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._windows: dict[StreamName, HlsWindow] = {}
        self._next = 0
        "No window that is gone had this number, or a higher one."

    def __len__(self) -> int:
        return len(self._windows)

    def get(self, name: StreamName) -> HlsWindow | None:
        return self._windows.get(name)

    def find(self, name: StreamName, options: HlsOptions, wish: WindowWish) -> WindowView | None:
        """Return the part of the past of a stream that is wished for; None where it keeps none, or none was asked for yet."""
        window = self._windows.get(name)
        if window is None or window.stream.timeshift.refusal(name.url, wish):
            return None
        window.adopt(options)
        return WindowView(window, wish, options.names.playlist_path(name))

    def start(self, stream: Stream, options: HlsOptions, wish: WindowWish) -> WindowView | None:
        """Make the window of a stream; None where its name cannot be that of a playlist."""
        if not options.names.playlist_path(stream.name):
            return None
        self._windows[stream.name] = HlsWindow(self._loop, stream, options, self._next)
        return self.find(stream.name, options, wish)

    def segment(self, path: str, name: StreamName) -> tuple[HlsWindow, PastSegment, bool] | None:
        """Return what the URL path *path* of the stream *name* names: a segment, or by one the section that it begins with."""
        window = self._windows.get(name)
        if window is None:
            return None
        found = WINDOW_SEGMENT.match(path)
        if found is not None:
            segment = window.list.find(int(found["seq"]))
            return (window, segment, False) if segment is not None else None
        found = WINDOW_INIT.match(path)
        segment = window.list.of_run(int(found["seq"])) if found is not None else None
        return (window, segment, True) if segment is not None else None

    def stop(self) -> None:
        """The server stops: requests that wait are answered."""
        for window in list(self._windows.values()):
            window.end()
        self._windows.clear()

    # --- streams ---

    def stream_began(self, stream: Stream) -> None:
        window = self._windows.get(stream.name)
        if window is not None and window.stream is not stream:
            self._drop(window)

    def stream_left(self, stream: Stream) -> None: ...

    def stream_ended(self, stream: Stream) -> None:
        window = self._windows.get(stream.name)
        if window is not None and window.stream is stream:
            window.end()
            self._drop_later(window)

    def _drop_later(self, window: HlsWindow) -> None:
        # The rest is played to its end, but the memory of a past is not held for those who only go on asking.
        seconds = max(limits.HLS_IDLE_SECONDS, window.stream.timeshift.options.window_ms / 1000)
        idle = self._loop.time() - window.asked > window.idle_seconds
        self._loop.call_later(0 if idle else seconds, partial(self._drop, window))

    def _drop(self, window: HlsWindow) -> None:
        if self._windows.get(window.name) is window:
            self._next = max(self._next, window.list.next)
            del self._windows[window.name]
