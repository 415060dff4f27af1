"""The HLS server: answers to requests for playlists and segments, at once or when there is one."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import quote, urlencode

from fastflv import limits
from fastflv.containers.playlist import QUERY, master
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.muxers import HlsMuxers
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentreader import carried, rendition
from fastflv.servers.hls.sessions import ARGUMENT, HlsSessions
from fastflv.servers.hls.store import StoredBytes
from fastflv.servers.http.router import Route
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
TYPES = {"ts": "video/MP2T", "mp3": "audio/mpeg", "aac": "audio/aac"}
"Content type of a segment by its ending; any other ending is MP4."

QUERY_SAFE = "!$&'()*+,;=:@/?%~"
"Characters of a query that are copied into a playlist; others could end a line or a quoted string there."


class HlsServer:
    """All HLS of a server: its muxers, its viewers, and the answers to their requests.

    Its `routes` come before those of live streams: the name of a segment may also be that of a stream.
    *vhost_of*: the options of a vhost by its name or an alias, None where HLS is off.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        clients: Clients,
        *,
        vhost_of: Callable[[str], HlsOptions | None],
        new_id: Callable[[], str],
    ) -> None:
        self.muxers = HlsMuxers(loop, hub, clients, vhost_of)
        "To be told of streams by the hub, and of reloads by `reconfigure`."
        self._loop = loop
        self._hub = hub
        self._sessions = HlsSessions(clients, loop.time, new_id)
        self._sweeper: asyncio.TimerHandle | None = None
        self._stopped = False

    async def stop(self) -> None:
        """Close all muxers and sessions. Call it before the streams end."""
        self._stopped = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._sessions.close()
        await self.muxers.stop()

    @property
    def viewers(self) -> int:
        """Viewers that are counted."""
        return len(self._sessions)

    # --- requests ---

    @property
    def routes(self) -> tuple[Route[_Wanted], Route[_WantedSegment]]:
        """Playlists and segments."""
        methods = ("GET", "HEAD")
        return (
            Route("hls playlist", methods, self._match_playlist, self._serve_playlist),
            Route("hls segment", methods, self._match_segment, self._serve_segment),
        )

    def _options_of(self, request: Request) -> HlsOptions | None:
        args = request.args
        return self.muxers.vhost_of(args.get("vhost") or args.get("domain") or request.host)

    def _match_playlist(self, request: Request) -> _Wanted | None:
        options = self._options_of(request)
        name = self.muxers.stream_of(options, request.path) if options is not None else None
        return _Wanted(name, options) if name is not None and options is not None else None

    def _match_segment(self, request: Request) -> _WantedSegment | None:
        options = self._options_of(request)
        muxer = self.muxers.muxer_of_segment(options, request.path) if options is not None else None
        return _WantedSegment(muxer, options) if muxer is not None and options is not None else None

    def _serve_playlist(self, exchange: Exchange, wanted: _Wanted) -> None:
        response = _Ask(self, wanted.name, wanted.options, exchange).go()
        if response is not None:
            exchange.respond(response)

    def _serve_segment(self, exchange: Exchange, wanted: _WantedSegment) -> bool:
        request, muxer = exchange.request, wanted.muxer
        word = request.args.get(ARGUMENT, "")
        session = self._sessions.find(word) if wanted.options.sessions else None
        if session is not None and session.kicked:
            exchange.respond(_kicked(muxer.name))
            return True
        stored = muxer.fetch(request.path[1:])
        if stored is None:
            # A stream may have the name of another stream's segment.
            stem = request.path.rpartition("/")[2].rpartition(".")[0]
            if self._hub.find(muxer.name._replace(stream=stem)):
                return False
            exchange.respond(_gone())
            return True
        muxer.asked = self._loop.time()
        size = len(stored.body) if isinstance(stored, StoredBytes) else stored.size
        if word and request.method == "GET":
            self._sessions.count(word, size)
        head = Response(content_type=TYPES.get(request.path.rpartition(".")[2], "video/mp4"))
        # A URL never gets other contents, and players ask for it as long as a playlist lists it.
        head.headers["Cache-Control"] = f"max-age={max(muxer.options.playlist_ms // 1000, 1)}"
        if isinstance(stored, StoredBytes):
            head.body = stored.body
            exchange.respond(head)
        else:
            exchange.respond_file(head, stored.path, 0, size, missing=_gone())
        return True

    def _playlist(self, ask: _Ask) -> Response | None:
        """Answer a request for a playlist; None when it has to wait."""
        if self._stopped:
            return Response.of_text(503, "the server stops")
        options, request, args = ask.options, ask.request, ask.request.args
        stream = self._hub.find(ask.name)
        word = args.get(ARGUMENT, "")
        if options.sessions and word:
            session = self._sessions.find(word)
            if session is not None and session.kicked:
                return _kicked(ask.name)
        muxer = self.muxers.find(ask.name)
        if stream is not None and stream.settled and not carried(stream.writer, options):
            return Response.of_text(404, f"{ask.name.url} has nothing that HLS can carry; play .flv")
        if muxer is None:
            if stream is None or not stream.settled:
                return None
            muxer = self.muxers.start(stream)
            if muxer is None:
                return Response.of_text(404, f"{ask.name.url} has no HLS")
        muxer.asked = self._loop.time()
        if options.sessions and not word:
            return self._master(ask, muxer, stream)
        if not muxer.text:
            return None
        if options.sessions and request.method == "GET":
            keep = max(2 * options.playlist_ms / 1000, muxer.idle_seconds)
            if self._sessions.enter(word, stream, request, ask.scheme, keep) is not None:
                self._sessions.count(word, len(muxer.text))
                self._sweep_later()
        words = {key: args[key] for key in ("vhost", "domain") if args.get(key)}
        if options.sessions and options.segment_sessions:
            words = {ARGUMENT: word, **words}
        query = f"?{urlencode(words)}" if words else ""
        response = Response(200, muxer.text.replace(QUERY, query).encode(), PLAYLIST_TYPE)
        response.headers["Cache-Control"] = "no-cache" if options.sessions else "max-age=1"
        return response

    def _master(self, ask: _Ask, muxer: HlsMuxer, stream: Stream | None) -> Response | None:
        """Answer with a master playlist, which refers the viewer to a media playlist with a session of its own."""
        if stream is None and not muxer.text:
            return None
        options, request = ask.options, ask.request
        word = self._sessions.new_word()
        if request.method == "GET":
            keep = max(2 * options.playlist_ms / 1000, muxer.idle_seconds)
            if self._sessions.enter(word, stream, request, ask.scheme, keep) is not None:
                self._sweep_later()
        path = options.names.master_uri(muxer.path, relative=options.master_relative)
        query = f"?{ARGUMENT}={word}"
        if request.query:
            query += "&" + quote(request.query, safe=QUERY_SAFE, encoding="latin-1")
        text = master(path + query, rendition(stream, options, muxer.rates))
        response = Response(200, text.encode(), PLAYLIST_TYPE)
        response.headers["Cache-Control"] = "no-store"
        return response

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(limits.HLS_SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        self._sessions.sweep()
        if len(self._sessions):
            self._sweep_later()


class _Wanted(NamedTuple):
    """The stream whose playlist a request asks for."""

    name: StreamName
    options: HlsOptions


class _WantedSegment(NamedTuple):
    """The muxer whose segment a request may ask for."""

    muxer: HlsMuxer
    options: HlsOptions


class _Ask:
    """A request for a playlist, which may have to wait for the publisher or for the first segment."""

    __slots__ = ("_exchange", "_muxer", "_server", "_timer", "name", "options", "request")

    def __init__(
        self,
        server: HlsServer,
        name: StreamName,
        options: HlsOptions,
        exchange: Exchange,
    ) -> None:
        self.name = name
        self.options = options
        self.request = exchange.request
        self._server = server
        self._exchange = exchange
        self._muxer: HlsMuxer | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def scheme(self) -> str:
        return self._exchange.scheme

    def go(self) -> Response | None:
        """Return the answer, or wait and return None."""
        server = self._server
        response = server._playlist(self)
        if response is not None:
            return response
        muxer = server.muxers.find(self.name)
        absent = server._hub.find(self.name) is None
        if absent and (self.options.on_missing <= 0 or (muxer is not None and muxer.ended)):
            return self._missing()
        if self._timer is None:
            seconds = limits.HLS_HOLD_SECONDS
            if absent:
                seconds = min(seconds, self.options.on_missing)
            self._exchange.on_lost = self._forget
            self._timer = server._loop.call_later(seconds, self._missed)
        if muxer is not None:
            self._muxer = muxer
            muxer.waiting.add(self._again)
        else:
            server._hub.wait(self.name, self._found)
        return None

    def _found(self, stream: Stream) -> None:
        self._again()

    def _again(self) -> None:
        response = self.go()
        if response is not None:
            self._answer(response)

    def _missed(self) -> None:
        self._answer(self._missing())

    def _missing(self) -> Response:
        seconds = max(1, round(self.options.on_missing))
        return Response.of_text(404, "no such stream is live, or not for long", Retry_After=str(seconds))

    def _answer(self, response: Response) -> None:
        self._forget()
        self._exchange.on_lost = None
        self._exchange.respond(response)

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._server._hub.forget(self.name, self._found)
        if self._muxer is not None:
            self._muxer.waiting.discard(self._again)


def _gone() -> Response:
    response = Response.of_text(404, "that segment is gone")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _kicked(name: StreamName) -> Response:
    return Response.of_text(404, f"HLS stream {name.url} is EOF")
