"""HLS requests: which playlist or segment is asked for, by whom, and whether it has to be waited for."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple
from urllib.parse import quote, urlencode

from fastflv import limits
from fastflv.containers.playlist import QUERY, master
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.hls.diskshelf import Disk, DiskShelf
from fastflv.servers.hls.files import FileCache
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentreader import carried, rendition
from fastflv.servers.hls.sessions import ARGUMENT, HlsSessions
from fastflv.servers.hls.shelf import Shelf
from fastflv.servers.http.router import Route
from fastflv.stream.clients import Clients
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

log = logging.getLogger(__name__)

PLAYLIST_TYPE = "application/vnd.apple.mpegurl"
TYPES = {"ts": "video/MP2T", "mp3": "audio/mpeg", "aac": "audio/aac"}
"By the ending of a segment; any other is MP4."

QUERY_SAFE = "!$&'()*+,;=:@/?%~"
"What may stand in a query as it came; the rest could end a line or a quote of a playlist."


class HlsServer:
    """All HLS of a server.

    Call `stream_began` at each publish, `stream_left` and `stream_ended`. Its `routes` come before those of
    live streams: the name of a segment may also be that of a stream.
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
        self._loop = loop
        self._hub = hub
        self._clients = clients
        self._vhost_of = vhost_of
        self._sessions = HlsSessions(clients, loop.time, new_id)
        self._shelves: dict[StreamName, Shelf] = {}
        self._executor: ThreadPoolExecutor | None = None
        self._disk: Disk | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._stopped = False

    # --- streams ---

    def stream_began(self, stream: Stream) -> None:
        """A publisher starts, for the first time or again."""
        shelf: Shelf | None = self._shelves.get(stream.name)
        if shelf is None:
            options = self._vhost_of(stream.name.vhost)
            if options is None or not options.folder or self._stopped:
                return
            shelf = self._new_shelf(stream.name, options)
            if shelf is None:
                return
        shelf.begin(stream)

    def stream_left(self, stream: Stream) -> None:
        """The publisher is gone, and may come back."""
        shelf = self._shelves.get(stream.name)
        if shelf is not None:
            shelf.pause()

    def stream_ended(self, stream: Stream) -> None:
        """Nobody came back."""
        shelf = self._shelves.get(stream.name)
        if shelf is not None and shelf.stream is stream:
            shelf.end()

    async def stop(self) -> None:
        """Let go of everything; wait for what is being written. Call it before the streams end."""
        self._stopped = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._sessions.close()
        files = [shelf for shelf in self._shelves.values() if isinstance(shelf, DiskShelf)]
        for each in files:
            each.stop()
        if files:
            written = [self._loop.create_task(each.written()) for each in files]
            await asyncio.wait(written, timeout=limits.STOP_SECONDS)
        for shelf in list(self._shelves.values()):
            shelf.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._disk = None

    @property
    def viewers(self) -> int:
        """HlsSessions that are counted."""
        return len(self._sessions)

    # --- requests ---

    @property
    def routes(self) -> tuple[Route[_Wanted]]:
        """Playlists, and segments of the streams that have some."""
        return (Route("hls", ("GET", "HEAD"), self._match, self._serve),)

    def _match(self, request: Request) -> _Wanted | None:
        args = request.args
        options = self._vhost_of(args.get("vhost") or args.get("domain") or request.host)
        if options is None:
            return None
        name = options.names.stream_of(request.path)
        if name is not None:
            return _Wanted(name, options, True)
        name = options.names.segment_of(request.path)
        return _Wanted(name, options, False) if name is not None and name in self._shelves else None

    def _serve(self, exchange: Exchange, wanted: _Wanted) -> bool:
        if not wanted.playlist:
            return self._serve_segment(exchange, wanted)
        response = _Ask(self, wanted.name, wanted.options, exchange).go()
        if response is not None:
            exchange.respond(response)
        return True

    def _serve_segment(self, exchange: Exchange, wanted: _Wanted) -> bool:
        request, shelf = exchange.request, self._shelves[wanted.name]
        word = request.args.get(ARGUMENT, "")
        session = self._sessions.find(word) if wanted.options.sessions else None
        if session is not None and session.kicked:
            exchange.respond(_kicked(shelf.name))
            return True
        body = shelf.fetch(request.path[1:])
        if body is None:
            # A stream may have the name of another stream's segment.
            stem = request.path.rpartition("/")[2].rpartition(".")[0]
            if self._hub.find(shelf.name._replace(stream=stem)):
                return False
            exchange.respond(_gone())
            return True
        shelf.asked = self._loop.time()
        if isinstance(body, bytes):
            exchange.respond(self._media(request, shelf, word, body))
            return True

        def answer(read: asyncio.Future[bytes]) -> None:
            if read.cancelled() or read.exception() is not None:
                exchange.respond(_gone())
            else:
                exchange.respond(self._media(request, shelf, word, read.result()))

        body.add_done_callback(answer)
        return True

    def _media(self, request: Request, shelf: Shelf, word: str, body: bytes) -> Response:
        if word and request.method == "GET":
            self._sessions.count(word, len(body))
        response = Response(200, body, TYPES.get(request.path.rpartition(".")[2], "video/mp4"))
        # A name is used once; how long a copy is of use is how long a playlist tells of it.
        response.headers["Cache-Control"] = f"max-age={max(shelf.options.window_ms // 1000, 1)}"
        return response

    def _playlist(self, ask: _Ask) -> Response | None:
        """Answer a request for a playlist; None when there is nothing yet to answer with."""
        if self._stopped:
            return Response.of_text(503, "the server stops")
        options, request, args = ask.options, ask.request, ask.request.args
        stream = self._hub.find(ask.name)
        word = args.get(ARGUMENT, "")
        if options.sessions and word:
            session = self._sessions.find(word)
            if session is not None and session.kicked:
                return _kicked(ask.name)
        shelf = self._shelves.get(ask.name)
        if stream is not None and stream.settled and not carried(stream.writer, options):
            return Response.of_text(404, f"{ask.name.url} has nothing that HLS can carry; play .flv")
        if shelf is None:
            if stream is None or not stream.settled:
                return None
            shelf = self._new_shelf(ask.name, options)
            if shelf is None:
                return Response.of_text(404, f"{ask.name.url} has no place in HLS")
            shelf.begin(stream)
        shelf.asked = self._loop.time()
        if options.sessions and not word:
            return self._master(ask, shelf, stream)
        if not shelf.text:
            return None
        if options.sessions and request.method == "GET":
            keep = max(2 * options.window_ms / 1000, shelf.idle_seconds)
            if self._sessions.enter(word, stream, request, ask.scheme, keep) is not None:
                self._sessions.count(word, len(shelf.text))
                self._sweep_later()
        words = {key: args[key] for key in ("vhost", "domain") if args.get(key)}
        if options.sessions and options.segment_sessions:
            words = {ARGUMENT: word, **words}
        query = f"?{urlencode(words)}" if words else ""
        response = Response(200, shelf.text.replace(QUERY, query).encode(), PLAYLIST_TYPE)
        response.headers["Cache-Control"] = "no-cache" if options.sessions else "max-age=1"
        return response

    def _master(self, ask: _Ask, shelf: Shelf, stream: Stream | None) -> Response | None:
        """Send a viewer to a playlist of its own."""
        if stream is None and not shelf.text:
            return None
        options, request = ask.options, ask.request
        word = self._sessions.new_word()
        if request.method == "GET":
            keep = max(2 * options.window_ms / 1000, shelf.idle_seconds)
            if self._sessions.enter(word, stream, request, ask.scheme, keep) is not None:
                self._sweep_later()
        path = options.names.master_uri(shelf.path, relative=options.master_relative)
        query = f"?{ARGUMENT}={word}"
        if request.query:
            query += "&" + quote(request.query, safe=QUERY_SAFE, encoding="latin-1")
        text = master(path + query, rendition(stream, options, shelf.rates))
        response = Response(200, text.encode(), PLAYLIST_TYPE)
        response.headers["Cache-Control"] = "no-store"
        return response

    # --- shelves ---

    def _new_shelf(self, name: StreamName, options: HlsOptions) -> Shelf | None:
        """Make the shelf of a stream; None when its name cannot be that of a file."""
        if not options.names.playlist_path(name):
            log.warning("hls of %s: its name does not fit the names of the files", name.url)
            return None
        shelf: Shelf
        if options.folder:
            shelf = DiskShelf(self._loop, self._hub, name, options, self._closed, self._the_disk())
        else:
            shelf = Shelf(self._loop, self._hub, name, options, self._closed)
        self._shelves[name] = shelf
        return shelf

    def _closed(self, shelf: Shelf) -> None:
        if self._shelves.get(shelf.name) is shelf:
            del self._shelves[shelf.name]

    def _the_disk(self) -> Disk:
        if self._disk is None:
            self._executor = ThreadPoolExecutor(limits.HLS_THREADS, "hls")
            self._disk = Disk(self._executor, FileCache(limits.HLS_CACHE_BYTES), self._drop_publisher)
        return self._disk

    def _drop_publisher(self, stream: Stream) -> None:
        client = self._clients.find(stream.publisher_id)
        if client is not None:
            client.drop(client)

    def _sweep_later(self) -> None:
        if self._sweeper is None:
            self._sweeper = self._loop.call_later(limits.HLS_SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._sweeper = None
        self._sessions.sweep()
        if len(self._sessions):
            self._sweep_later()


class _Wanted(NamedTuple):
    """What a request asks for."""

    name: StreamName
    options: HlsOptions
    playlist: bool


class _Ask:
    """A request for a playlist, which may have to wait: for the publisher, for the first segment."""

    __slots__ = ("_exchange", "_server", "_shelf", "_timer", "name", "options", "request")

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
        self._shelf: Shelf | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def scheme(self) -> str:
        return self._exchange.scheme

    def go(self) -> Response | None:
        """Answer, or wait."""
        server = self._server
        response = server._playlist(self)
        if response is not None:
            return response
        shelf = server._shelves.get(self.name)
        absent = server._hub.find(self.name) is None
        if absent and (self.options.on_missing <= 0 or (shelf is not None and shelf.ended)):
            return self._missing()
        if self._timer is None:
            seconds = limits.HLS_HOLD_SECONDS
            if absent:
                seconds = min(seconds, self.options.on_missing)
            self._exchange.on_lost = self._forget
            self._timer = server._loop.call_later(seconds, self._missed)
        if shelf is not None:
            self._shelf = shelf
            shelf.waiting.add(self._again)
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
        if self._shelf is not None:
            self._shelf.waiting.discard(self._again)


def _gone() -> Response:
    response = Response.of_text(404, "that segment is gone")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _kicked(name: StreamName) -> Response:
    return Response.of_text(404, f"HLS stream {name.url} is EOF")
