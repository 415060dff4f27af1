"""Requests for segments of the past: they are cut on a thread, once for all who ask."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastflv.errors import FilesBusyError, UsageError
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.clips.clipfile import write_segment
from fastflv.servers.clips.clips import Clip, ClipKey
from fastflv.servers.hls.segmentreader import carried
from fastflv.servers.hls.viewerrequest import ViewerRequest, gone
from fastflv.servers.hls.window import HlsWindow
from fastflv.servers.hls.windowlist import PastSegment

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer


class WindowRequest(ViewerRequest):
    """One request for *segment* of *window*, or for its initialisation section."""

    __slots__ = ("_init", "_segment", "_window")

    what = "segment"

    def __init__(
        self, server: HlsServer, exchange: Exchange, window: HlsWindow, segment: PastSegment, *, init: bool
    ) -> None:
        super().__init__(server, exchange, window.name, sessions=window.options.sessions)
        self._window = window
        self._segment = segment
        self._init = init

    def _send(self) -> None:
        window, segment, stream = self._window, self._segment, self._window.stream
        window.asked = self._server.joins.loop.time()
        kinds = tuple(carried(stream.writer, window.options))
        container = f"{'init' if self._init else 'm4s'}{kinds}"
        key = ClipKey(window.name, stream.id, container, segment.position, segment.stop)
        write = partial(
            write_segment,
            end_ms=segment.end_ms,
            kinds=kinds,
            size=(stream.width, stream.height),
            init=self._init,
        )
        try:
            excerpt = stream.timeshift.part(segment.position, segment.stop, segment.place)
            self._server.clips.cut(key, excerpt, write, self._answer)
        except UsageError:
            self._exchange.respond(gone(self.what))
        except FilesBusyError as error:
            self._busy(error.detail)

    def _answer(self, clip: Clip | str) -> None:
        if isinstance(clip, str):
            self._busy(clip)
            return
        try:
            file = clip.open()
        except OSError as error:
            self._busy(f"the segment cannot be sent: {error.strerror}")
            return
        self._count(clip.size)
        # A number is used once: a copy is of use as long as the past goes back.
        seconds = max(self._window.stream.timeshift.options.window_ms // 1000, 1)
        head = Response(content_type="video/mp4", headers={"Cache-Control": f"max-age={seconds}"})
        self._exchange.respond_file(head, file.fd, 0, file.size, missing=gone(self.what))

    def _busy(self, why: str) -> None:
        self._exchange.respond(Response.of_text(503, f"{self._name.url}: {why}; ask again", Retry_After="1"))
