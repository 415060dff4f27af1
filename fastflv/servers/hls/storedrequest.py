"""Requests for what a muxer has stored: a counted viewer has it at once, any other client passes the gate first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from fastflv.access.request import Action
from fastflv.playing.join import Join, JoinRefused
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.sessions import ARGUMENT
from fastflv.servers.hls.store import Stored, StoredBytes
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer

TYPES = {"ts": "video/MP2T", "mp3": "audio/mpeg", "aac": "audio/aac"}
"Content type of a segment by its ending; any other ending is MP4."

KEY_TYPE = "application/octet-stream"


class StoredRequest(ABC):
    """One request for a file of *muxer*."""

    __slots__ = ("_exchange", "_join", "_muxer", "_server", "_word")

    what = ""
    "What is asked for, as `segment`."

    def __init__(self, server: HlsServer, exchange: Exchange, muxer: HlsMuxer) -> None:
        self._server = server
        self._exchange = exchange
        self._muxer = muxer
        self._word = exchange.request.args.get(ARGUMENT, "") if muxer.options.sessions else ""
        "Session id of the request; empty without one, and where sessions are off."
        self._join: Join | None = None

    def begin(self) -> None:
        """Answer, or ask the gate: a path can be guessed, the playlist that names it need not have been read."""
        server, exchange, name = self._server, self._exchange, self._muxer.name
        session = server.sessions.find(self._word) if self._word else None
        if session is not None and session.kicked:
            exchange.respond(Response.of_text(404, f"HLS stream {name.url} is EOF"))
            return
        if session is not None and session.admits(name, exchange.request.ip):
            self._send()
            return
        id = self._word if session is not None else server.sessions.new_word()
        exchange.on_lost = self._forget
        self._join = Join(
            server.joins,
            access_request(exchange.request, Action.PLAY, name, "hls-play", exchange.scheme, id),
            name,
            on_missing=0,
            ready=_no_stream,
            refused=self._refused,
            admitted=self._admitted,
        )
        self._join.begin()

    @abstractmethod
    def _fetch(self, path: str) -> Stored | None:
        """Return what is stored at *path*, relative to the root; None when it is gone."""

    @abstractmethod
    def _head(self, path: str, size: int) -> Response:
        """Return the head of the answer, whose *size* bytes are sent next."""

    def _admitted(self) -> bool:
        self._forget()
        self._send()
        return True

    def _refused(self, refused: JoinRefused) -> None:
        self._forget()
        self._exchange.respond(join_refusal(refused, self._muxer.name.url))

    def _forget(self) -> None:
        # The join refers to this request: what a client sent would stay until the collector comes.
        self._exchange.on_lost = None
        join, self._join = self._join, None
        if join is not None:
            join.cancel()

    def _send(self) -> None:
        path = self._exchange.request.path[1:]
        stored = self._fetch(path)
        if stored is None:
            self._exchange.respond(gone(self.what))
            return
        head = self._head(path, len(stored.body) if isinstance(stored, StoredBytes) else stored.size)
        if isinstance(stored, StoredBytes):
            head.body = stored.body
            self._exchange.respond(head)
        else:
            self._exchange.respond_file(head, stored.path, 0, stored.size, missing=gone(self.what))


class SegmentRequest(StoredRequest):
    """One request for a segment or an initialisation section."""

    __slots__ = ()

    what = "segment"

    def _fetch(self, path: str) -> Stored | None:
        return self._muxer.fetch(path)

    def _head(self, path: str, size: int) -> Response:
        self._muxer.asked = self._server.joins.loop.time()
        if self._word and self._exchange.request.method == "GET":
            self._server.sessions.count(self._word, size)
        head = Response(content_type=TYPES.get(path.rpartition(".")[2], "video/mp4"))
        # A path is used once: a copy is of use as long as a playlist lists it.
        head.headers["Cache-Control"] = f"max-age={max(self._muxer.options.playlist_ms // 1000, 1)}"
        return head


class KeyRequest(StoredRequest):
    """One request for a key of segments."""

    __slots__ = ()

    what = "key"

    def _fetch(self, path: str) -> Stored | None:
        return self._muxer.fetch_key(path)

    def _head(self, path: str, size: int) -> Response:
        # Each viewer has to pass the gate.
        return Response(content_type=KEY_TYPE, headers={"Cache-Control": "no-store"})


def _no_stream(stream: Stream) -> None:
    """The join never calls it: what is stored outlives its stream, so none is looked for."""


def gone(what: str) -> Response:
    """Return the answer for what is not stored any more."""
    return Response.of_text(404, f"that {what} is gone", Cache_Control="no-cache")
