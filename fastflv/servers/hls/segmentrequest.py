"""A request for a segment: a counted viewer has it at once, any other client passes the gate first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflv.access.request import Action
from fastflv.playing.join import Join, JoinRefused
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.store import Stored, StoredBytes
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer

TYPES = {"ts": "video/MP2T", "mp3": "audio/mpeg", "aac": "audio/aac"}
"Content type of a segment by its ending; any other ending is MP4."


class SegmentRequest:
    """One request for a segment that is stored."""

    __slots__ = ("_exchange", "_join", "_muxer", "_server", "_stored", "_word")

    def __init__(
        self, server: HlsServer, exchange: Exchange, muxer: HlsMuxer, stored: Stored, word: str
    ) -> None:
        """*word*: the session id of the request; empty without one."""
        self._server = server
        self._exchange = exchange
        self._muxer = muxer
        self._stored = stored
        self._word = word
        self._join: Join | None = None

    def begin(self) -> None:
        """Answer, or ask the gate: the path of a segment can be guessed, its playlist need not have been read."""
        request = self._exchange.request
        session = self._server.sessions.find(self._word) if self._word else None
        if session is not None and session.admits(self._muxer.name, request.ip):
            self._send()
            return
        name = self._muxer.name
        id = self._word if session is not None else self._server.sessions.new_word()
        self._exchange.on_lost = self._forget
        self._join = Join(
            self._server.joins,
            access_request(request, Action.PLAY, name, "hls-play", self._exchange.scheme, id),
            name,
            on_missing=0,
            ready=self._ready,
            refused=self._refused,
            admitted=self._admitted,
        )
        self._join.begin()

    def _admitted(self) -> bool:
        self._forget()
        self._send()
        return True

    def _ready(self, stream: Stream) -> None:
        """Not called: a segment outlives its stream, so none is looked for."""

    def _refused(self, refused: JoinRefused) -> None:
        self._forget()
        self._exchange.respond(join_refusal(refused, self._muxer.name.url))

    def _forget(self) -> None:
        self._exchange.on_lost = None
        join, self._join = self._join, None
        if join is not None:
            join.cancel()

    def _send(self) -> None:
        server, stored, request = self._server, self._stored, self._exchange.request
        self._muxer.asked = server.joins.loop.time()
        head = Response(content_type=TYPES.get(request.path.rpartition(".")[2], "video/mp4"))
        # A path is used once: a copy is of use as long as a playlist lists it.
        head.headers["Cache-Control"] = f"max-age={max(self._muxer.options.playlist_ms // 1000, 1)}"
        size = len(stored.body) if isinstance(stored, StoredBytes) else stored.size
        if self._word and request.method == "GET":
            server.sessions.count(self._word, size)
        if isinstance(stored, StoredBytes):
            head.body = stored.body
            self._exchange.respond(head)
        else:
            self._exchange.respond_file(head, stored.path, 0, stored.size, missing=gone())


def gone() -> Response:
    """Return the answer for a segment that is not stored any more."""
    return Response.of_text(404, "that segment is gone", Cache_Control="no-cache")
