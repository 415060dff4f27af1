"""Requests for what a playlist lists: a counted viewer has it at once, any other client passes the gate first."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from fastflv.access.request import Action
from fastflv.playing.join import Join, JoinRefused
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.hls.sessions import ARGUMENT
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

if TYPE_CHECKING:
    from fastflv.servers.hls.server import HlsServer


class ViewerRequest(ABC):
    """One request for a part of the stream *name*. *sessions*: its viewers are counted."""

    __slots__ = ("_exchange", "_join", "_name", "_server", "_word")

    def __init__(self, server: HlsServer, exchange: Exchange, name: StreamName, *, sessions: bool) -> None:
        self._server = server
        self._exchange = exchange
        self._name = name
        self._word = exchange.request.args.get(ARGUMENT, "") if sessions else ""
        "Session id of the request; empty without one, and where sessions are off."
        self._join: Join | None = None

    def begin(self) -> None:
        """Answer, or ask the gate: a path can be guessed, the playlist that names it need not have been read."""
        server, exchange, name = self._server, self._exchange, self._name
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
    def _send(self) -> None:
        """Answer the request, which is admitted."""

    def _count(self, size: int) -> None:
        """Count *size* bytes that are sent to the viewer."""
        if self._word and self._exchange.request.method == "GET":
            self._server.sessions.count(self._word, size)

    def _admitted(self) -> bool:
        self._forget()
        self._send()
        return True

    def _refused(self, refused: JoinRefused) -> None:
        self._forget()
        self._exchange.respond(join_refusal(refused, self._name.url))

    def _forget(self) -> None:
        # The join refers to this request: what a client sent would stay until the collector comes.
        self._exchange.on_lost = None
        join, self._join = self._join, None
        if join is not None:
            join.cancel()


def _no_stream(stream: Stream) -> None:
    """The join never calls it: what is stored outlives its stream, so none is looked for."""


def gone(what: str) -> Response:
    """Return the answer for what is not kept any more."""
    return Response.of_text(404, f"that {what} is gone", Cache_Control="no-cache")
