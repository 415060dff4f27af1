"""A request for a key: through the gate, as the playlist that names it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastflv.access.request import Action
from fastflv.playing.join import Join, JoinRefused
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.hls.muxer import HlsMuxer
from fastflv.servers.hls.sessions import ARGUMENT
from fastflv.servers.hls.store import StoredBytes
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer

KEY_TYPE = "application/octet-stream"


class KeyRequest:
    """One request for a key of *muxer*."""

    __slots__ = ("_exchange", "_join", "_muxer", "_server")

    def __init__(self, server: HlsServer, exchange: Exchange, muxer: HlsMuxer) -> None:
        self._server = server
        self._exchange = exchange
        self._muxer = muxer
        self._join: Join | None = None

    def begin(self) -> None:
        """Answer, or wait for the gate. It is asked where it has not admitted the viewer's session."""
        server, request, name = self._server, self._exchange.request, self._muxer.name
        word = request.args.get(ARGUMENT, "") if self._muxer.options.sessions else ""
        session = server.sessions.find(word) if word else None
        if session is not None and session.kicked:
            self._exchange.respond(Response.of_text(404, f"HLS stream {name.url} is EOF"))
        elif session is not None and session.admits(name, request.ip):
            self._send()
        else:
            client_id = word or server.sessions.new_word()
            scheme = self._exchange.scheme
            self._exchange.on_lost = self._forget
            self._join = Join(
                server.joins,
                access_request(request, Action.PLAY, name, "hls-play", scheme, client_id),
                name,
                on_missing=0,
                ready=self._ready,
                refused=self._refused,
                admitted=self._send,
            )
            self._join.begin()

    def _ready(self, stream: Stream) -> None:
        """Never called: `_send` answers, whether the stream is live or has ended."""

    def _refused(self, refused: JoinRefused) -> None:
        self._respond(join_refusal(refused, self._muxer.name.url))

    def _send(self) -> bool:
        path = self._exchange.request.path[1:]
        stored = self._muxer.fetch_key(path)
        head = Response(content_type=KEY_TYPE)
        # Each viewer has to pass the gate.
        head.headers["Cache-Control"] = "no-store"
        if stored is None:
            self._respond(gone())
        elif isinstance(stored, StoredBytes):
            head.body = stored.body
            self._respond(head)
        else:
            self._forget()
            self._exchange.respond_file(head, stored.path, 0, stored.size, missing=gone())
        return True

    def _respond(self, response: Response) -> None:
        self._forget()
        self._exchange.respond(response)

    def _forget(self) -> None:
        # The join refers to this request: what a client sent would stay until the collector comes.
        join, self._join = self._join, None
        if join is not None:
            join.cancel()
        self._exchange.on_lost = None


def gone() -> Response:
    """Return the answer for a key that is not available any more."""
    return Response.of_text(404, "that key is gone", Cache_Control="no-cache")
