"""The HLS server: muxers, viewers, and answers to requests for playlists and segments."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.errors import UsageError
from fastflv.net.deadline import Deadline
from fastflv.net.filepool import FileShare
from fastflv.net.heap import Heap
from fastflv.playing.join import Joins
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.clips.clips import Clips
from fastflv.servers.hls.muxers import HlsMuxers
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.playlistrequest import PlaylistRequest
from fastflv.servers.hls.sessions import HlsSessions
from fastflv.servers.hls.storedrequest import KeyRequest, SegmentRequest
from fastflv.servers.hls.viewerrequest import gone
from fastflv.servers.hls.windowrequest import WindowRequest
from fastflv.servers.hls.windows import HlsWindows
from fastflv.servers.http.refusal import refuse_play
from fastflv.stream.clients import Clients
from fastflv.stream.moment import window_of
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream


class HlsServer:
    """All HLS of a server.

    The router asks `playlist` and `segment` before the mounts: the name of a segment may also be that of a
    stream. *vhost_of*: the present options of a vhost by its own name, None where HLS is off. *is_own*: as `HlsMuxers`
    has it. *pass_on*: has another process answer a request for a stream whose segments it makes; False: it does not.
    """

    def __init__(
        self,
        joins: Joins,
        clients: Clients,
        files: FileShare,
        heap: Heap,
        *,
        clips: Clips,
        vhost_of: Callable[[str], HlsOptions | None],
        is_own: Callable[[StreamName], bool] = lambda name: True,
        pass_on: Callable[[Exchange, StreamName], bool] = lambda exchange, name: False,
        new_id: Callable[[], str],
    ) -> None:
        self.joins = joins
        self.pass_on = pass_on
        self._heap = heap
        self.muxers = HlsMuxers(joins.loop, joins.hub, clients, files, heap, vhost_of, is_own)
        "To be told of streams by the hub, and of reloads by `reconfigure`."
        self.windows = HlsWindows(joins.loop)
        "To be told of streams by the hub."
        self.clips = clips
        self.sessions = HlsSessions(clients, joins.loop.time, new_id)
        self.stopped = False
        self._sweeper: Deadline | None = None
        self._sweep_steps: Iterator[None] | None = None
        "The rest of a sweep that is not done."

    async def stop(self) -> None:
        """Close all muxers and sessions. Call it before the streams end."""
        self.stopped = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self.sessions.close()
        self.windows.stop()
        await self.muxers.stop()

    def playlist(self, exchange: Exchange, name: StreamName) -> bool:
        """Answer a request for the playlist of a stream. False where HLS is off, or the path is another's."""
        options = self.muxers.vhost_of(name.vhost)
        path = exchange.request.path
        found = self.muxers.stream_of(options, path, name) if options is not None else None
        if options is None:
            return False
        if found is None:
            named = (names.stream_of(path) for names in self.muxers.templates(options))
            return any(each is not None and self.pass_on(exchange, each) for each in named)
        if self.pass_on(exchange, found):
            return True
        try:
            wish = window_of(exchange.request.args)
        except UsageError as error:
            refuse_play(exchange, found.url, Response.of_text(400, f"{found.url}: {error.detail}"))
            return True
        if wish is not None and options.names.keys:
            text = f"{found.url}: `hls_keys` is on, and its past is not encrypted"
            refuse_play(exchange, found.url, Response.of_text(404, text))
            return True
        PlaylistRequest(self, exchange, found, options, wish).begin()
        return True

    def segment(self, exchange: Exchange, name: StreamName) -> bool:
        """Answer a request for a segment. False where the path is none, so that a mount may take it."""
        request = exchange.request
        options = self.muxers.vhost_of(name.vhost)
        muxer = self.muxers.muxer_of_segment(options, request.path) if options is not None else None
        if muxer is None:
            return options is not None and any(
                self._pass_on(exchange, names.segment_of(request.path))
                for names in self.muxers.templates(options)
            )
        if muxer.fetch(request.path[1:]) is None:
            # A stream may have the name of another stream's segment.
            stem = request.path.rpartition("/")[2].rpartition(".")[0]
            if self.joins.hub.find(muxer.name._replace(stream=stem)):
                return False
            exchange.respond(gone(SegmentRequest.what))
            return True
        SegmentRequest(self, exchange, muxer).begin()
        return True

    def past(self, exchange: Exchange, name: StreamName) -> bool:
        """Answer a request for a segment of the past. False where the path is none."""
        options = self.muxers.vhost_of(name.vhost)
        if options is None or options.names.keys:
            return False
        if self.windows.get(name) is None:
            return self._pass_on(exchange, name)
        found = self.windows.segment(exchange.request.path, name)
        if found is None:
            exchange.respond(gone(WindowRequest.what))
            return True
        window, segment, init = found
        WindowRequest(self, exchange, window, segment, init=init).begin()
        return True

    def key(self, exchange: Exchange, name: StreamName) -> bool:
        """Answer a request for a key. False where the path is none, so that a mount may take it."""
        options = self.muxers.vhost_of(name.vhost)
        muxer = self.muxers.muxer_of_key(options, exchange.request.path) if options is not None else None
        if muxer is None:
            return options is not None and any(
                self._pass_on(exchange, names.key_of(exchange.request.path))
                for names in self.muxers.templates(options)
            )
        KeyRequest(self, exchange, muxer).begin()
        return True

    def _pass_on(self, exchange: Exchange, name: StreamName | None) -> bool:
        """Have another process answer a request for a file of a stream, unless the file has the name of a stream here."""
        if name is None:
            return False
        stem = exchange.request.path.rpartition("/")[2].rpartition(".")[0]
        return self.joins.hub.find(name._replace(stream=stem)) is None and self.pass_on(exchange, name)

    def count(self, request: AccessRequest, stream: Stream | None, keep_seconds: float, size: int) -> None:
        """Count a viewer of a playlist, and *size* bytes sent to it."""
        if self.sessions.enter(request, stream, keep_seconds) is not None:
            self.sessions.count(request.client_id, size)
            if self._sweeper is None:
                self._sweep_later(limits.HLS_SWEEP_SECONDS)

    def _sweep_later(self, seconds: float) -> None:
        self._sweeper = Deadline(self.joins.loop, self._sweep)
        self._sweeper.set(seconds)

    def _sweep(self) -> None:
        """Do one step of a sweep; between two of them others are served."""
        self._sweeper = None
        steps = self._sweep_steps or self.sessions.sweep()
        unfinished = next(steps, False) is None
        self._sweep_steps = steps if unfinished else None
        if unfinished:
            self._sweep_later(limits.HLS_SWEEP_PAUSE_SECONDS)
            return
        if self.sessions.freed_bytes > limits.HLS_TRIM_BYTES:
            self.sessions.freed_bytes = 0
            self._heap.trim_later()
        if len(self.sessions):
            self._sweep_later(limits.HLS_SWEEP_SECONDS)
