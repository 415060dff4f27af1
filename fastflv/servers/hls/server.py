"""The HLS server: the muxers of all streams, and answers to requests for their playlists and segments."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import quote, urlencode

from fastflv import limits
from fastflv.containers.playlist import QUERY, master
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.hls.diskstore import Disk, DiskStore
from fastflv.servers.hls.filecache import FileCache
from fastflv.servers.hls.memorystore import MemoryStore
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.names import HlsNames
from fastflv.servers.hls.options import HlsOptions
from fastflv.servers.hls.segmentreader import carried, rendition
from fastflv.servers.hls.sessions import ARGUMENT, HlsSessions
from fastflv.servers.hls.store import SegmentStore, StoredBytes
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
    """All HLS of a server.

    A watcher of the hub: `stream_began` at each publish, `stream_left`, `stream_ended`. Its `routes` come before
    those of live streams: the name of a segment may also be that of a stream. *vhost_of*: the options of a vhost by
    its name or an alias, None where HLS is off.
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
        self._muxers: dict[StreamName, HlsMuxer] = {}
        self._replaced: set[HlsMuxer] = set()
        "Muxers that serve nobody any more and complete or delete their files."
        self._former: dict[str, set[HlsNames]] = {}
        "By vhost: path templates before a reload that running muxers still use."
        self._executor: ThreadPoolExecutor | None = None
        self._disk: Disk | None = None
        self._cache: FileCache | None = None
        self._sweeper: asyncio.TimerHandle | None = None
        self._stopped = False

    # --- streams ---

    def stream_began(self, stream: Stream) -> None:
        """A publisher begins, or returns within the grace period."""
        if self._stopped:
            return
        options = self._vhost_of(stream.name.vhost)
        muxer: HlsMuxer | None = self._muxers.get(stream.name)
        if muxer is not None and muxer.stream is None and options is not None and _is_moved(muxer, options):
            self._replace(muxer)
            self._find_former()
            muxer = None
        if muxer is None and options is not None and options.folder:
            muxer = self._new_muxer(stream.name, options)
        if muxer is not None:
            muxer.begin(stream)

    def stream_left(self, stream: Stream) -> None:
        """The publisher left; another one may come within the grace period."""
        muxer = self._muxers.get(stream.name)
        if muxer is not None:
            muxer.pause()

    def stream_ended(self, stream: Stream) -> None:
        """No publisher returned within the grace period."""
        muxer = self._muxers.get(stream.name)
        if muxer is not None and muxer.stream is stream:
            muxer.end()

    def reconfigure(self, vhost_of: Callable[[str], HlsOptions | None]) -> list[str]:
        """Use the options of a reloaded configuration, for running muxers too.

        Returns the directives that act from the next publish of a running stream on, each once. Where HLS is off
        now, muxers close and viewers get 404. Where it is on now, segments begin with the next request or publish.
        """
        self._vhost_of = vhost_of
        waiting: dict[str, None] = {}
        for muxer in list(self._muxers.values()):
            options = vhost_of(muxer.name.vhost)
            if options is None:
                self._replace(muxer)
            else:
                waiting.update(dict.fromkeys(muxer.adopt(options)))
        self._find_former()
        return list(waiting)

    async def stop(self) -> None:
        """Close all muxers and sessions; wait for files that are being written. Call it before the streams end."""
        self._stopped = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        self._sessions.close()
        muxers = [*self._muxers.values(), *self._replaced]
        for muxer in muxers:
            muxer.stop()
        if muxers:
            written = [self._loop.create_task(muxer.written()) for muxer in muxers]
            await asyncio.wait(written, timeout=limits.STOP_SECONDS)
        for muxer in muxers:
            muxer.close()
        if self._executor is not None:
            self._executor.shutdown(wait=False, cancel_futures=True)
            self._executor = self._disk = self._cache = None

    @property
    def viewers(self) -> int:
        """Viewers that are counted."""
        return len(self._sessions)

    @property
    def muxers(self) -> Mapping[StreamName, HlsMuxer]:
        """The muxers that serve requests."""
        return MappingProxyType(self._muxers)

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
        return self._vhost_of(args.get("vhost") or args.get("domain") or request.host)

    def _match_playlist(self, request: Request) -> _Wanted | None:
        options = self._options_of(request)
        name = self._stream_of(options, request.path) if options is not None else None
        return _Wanted(name, options) if name is not None and options is not None else None

    def _match_segment(self, request: Request) -> _WantedSegment | None:
        options = self._options_of(request)
        muxer = self._muxer_of_segment(options, request.path) if options is not None else None
        return _WantedSegment(muxer, options) if muxer is not None and options is not None else None

    def _serve_playlist(self, exchange: Exchange, wanted: _Wanted) -> None:
        response = _Ask(self, wanted.name, wanted.options, exchange).go()
        if response is not None:
            exchange.respond(response)

    def _serve_segment(self, exchange: Exchange, wanted: _WantedSegment) -> bool:
        request, shelf = exchange.request, wanted.muxer
        word = request.args.get(ARGUMENT, "")
        session = self._sessions.find(word) if wanted.options.sessions else None
        if session is not None and session.kicked:
            exchange.respond(_kicked(shelf.name))
            return True
        stored = shelf.fetch(request.path[1:])
        if stored is None:
            # A stream may have the name of another stream's segment.
            stem = request.path.rpartition("/")[2].rpartition(".")[0]
            if self._hub.find(shelf.name._replace(stream=stem)):
                return False
            exchange.respond(_gone())
            return True
        shelf.asked = self._loop.time()
        if isinstance(stored, StoredBytes):
            exchange.respond(self._media(request, shelf, word, stored.body))
            return True
        assert self._cache is not None
        body = self._cache.read(stored)
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

    def _media(self, request: Request, shelf: HlsMuxer, word: str, body: bytes) -> Response:
        if word and request.method == "GET":
            self._sessions.count(word, len(body))
        response = Response(200, body, TYPES.get(request.path.rpartition(".")[2], "video/mp4"))
        # A name is used once; how long a copy is of use is how long a playlist tells of it.
        response.headers["Cache-Control"] = f"max-age={max(shelf.options.playlist_ms // 1000, 1)}"
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
        shelf = self._muxers.get(ask.name)
        if stream is not None and stream.settled and not carried(stream.writer, options):
            return Response.of_text(404, f"{ask.name.url} has nothing that HLS can carry; play .flv")
        if shelf is None:
            if stream is None or not stream.settled:
                return None
            now = self._vhost_of(ask.name.vhost)
            shelf = self._new_muxer(ask.name, now) if now is not None else None
            if shelf is None:
                return Response.of_text(404, f"{ask.name.url} has no HLS")
            shelf.begin(stream)
        shelf.asked = self._loop.time()
        if options.sessions and not word:
            return self._master(ask, shelf, stream)
        if not shelf.text:
            return None
        if options.sessions and request.method == "GET":
            keep = max(2 * options.playlist_ms / 1000, shelf.idle_seconds)
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

    def _master(self, ask: _Ask, shelf: HlsMuxer, stream: Stream | None) -> Response | None:
        """Send a viewer to a playlist of its own."""
        if stream is None and not shelf.text:
            return None
        options, request = ask.options, ask.request
        word = self._sessions.new_word()
        if request.method == "GET":
            keep = max(2 * options.playlist_ms / 1000, shelf.idle_seconds)
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

    # --- muxers ---

    def _new_muxer(self, name: StreamName, options: HlsOptions) -> HlsMuxer | None:
        """Make the muxer of a stream; None when its name cannot be that of a file."""
        path = options.names.playlist_path(name)
        if not path:
            log.warning("hls of %s: the name of the stream does not fit the templates of the files", name.url)
            return None
        store: SegmentStore = (
            DiskStore(self._the_disk(), options.folder, path) if options.folder else MemoryStore()
        )
        muxer = self._muxers[name] = HlsMuxer(
            self._loop,
            self._hub,
            name,
            options,
            store,
            on_closed=self._closed,
            drop_publisher=self._drop_publisher,
        )
        return muxer

    def _replace(self, muxer: HlsMuxer) -> None:
        """Serve a muxer no more; one on disk completes its playlist and deletes its files in its time."""
        del self._muxers[muxer.name]
        self._replaced.add(muxer)
        if muxer.store.on_demand:
            muxer.close()
        elif muxer.stream is not None:
            muxer.end()

    def _closed(self, muxer: HlsMuxer) -> None:
        self._replaced.discard(muxer)
        if self._muxers.get(muxer.name) is muxer:
            del self._muxers[muxer.name]
            if self._former:
                self._find_former()

    def _find_former(self) -> None:
        """Find the templates that running muxers have kept over a reload."""
        self._former.clear()
        for muxer in self._muxers.values():
            names, options = muxer.options.names, self._vhost_of(muxer.name.vhost)
            if options is not None and names != options.names:
                self._former.setdefault(muxer.name.vhost, set()).add(names)

    def _templates(self, options: HlsOptions) -> Iterator[HlsNames]:
        """The path templates of a vhost, then those that running muxers have kept."""
        yield options.names
        yield from self._former.get(options.names.vhost, ())

    def _stream_of(self, options: HlsOptions, path: str) -> StreamName | None:
        """Return the stream whose playlist has this URL path; a running muxer keeps the templates it began with."""
        for names in self._templates(options):
            name = names.stream_of(path)
            if name is None:
                continue
            muxer = self._muxers.get(name)
            if names == (options.names if muxer is None else muxer.options.names):
                return name
        return None

    def _muxer_of_segment(self, options: HlsOptions, path: str) -> HlsMuxer | None:
        """Return the muxer that has a segment at this URL path, or may have had one."""
        found = None
        for names in self._templates(options):
            name = names.segment_of(path)
            muxer = self._muxers.get(name) if name is not None else None
            if muxer is not None and muxer.fetch(path[1:]) is not None:
                return muxer
            found = found or muxer
        return found

    def _the_disk(self) -> Disk:
        if self._disk is None:
            self._executor = ThreadPoolExecutor(limits.HLS_THREADS, "hls")
            self._disk = Disk(self._loop, self._executor)
            self._cache = FileCache(self._disk.run)
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


class _WantedSegment(NamedTuple):
    """The muxer whose segment a request may ask for."""

    muxer: HlsMuxer
    options: HlsOptions


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
        self._shelf: HlsMuxer | None = None
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
        shelf = server._muxers.get(self.name)
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


def _is_moved(muxer: HlsMuxer, options: HlsOptions) -> bool:
    """Whether the path templates or the place of the files differ from those of a muxer."""
    return (muxer.options.names, muxer.options.folder) != (options.names, options.folder)


def _gone() -> Response:
    response = Response.of_text(404, "that segment is gone")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _kicked(name: StreamName) -> Response:
    return Response.of_text(404, f"HLS stream {name.url} is EOF")
