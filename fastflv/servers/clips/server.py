"""Requests for clips: a play through the gate, answered with a file."""

from __future__ import annotations

from fastflv.access.request import Action
from fastflv.containers.variant import Variant
from fastflv.errors import FilesBusyError, UsageError
from fastflv.playing.join import Join, JoinRefused, Joins
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.clips.clips import Clip, Clips
from fastflv.servers.files.answer import answer_file
from fastflv.servers.http.accessrequest import access_request
from fastflv.servers.http.refusal import join_refusal, refuse_play
from fastflv.stream.moment import ClipWish, clip_of
from fastflv.stream.name import StreamName
from fastflv.stream.stream import Stream

CARRIERS = {"flv": "flv", "ts": "ts", "mp4": "hls-fmp4"}
"Rows of the table of codecs, by the ending of a clip."


class ClipServer:
    """Answers requests for clips."""

    def __init__(self, joins: Joins, clips: Clips) -> None:
        self.joins = joins
        self.clips = clips

    def handle(self, exchange: Exchange, name: StreamName, container: str) -> bool:
        """Answer with a clip of *name*; False for a request that names no part of its past."""
        args = exchange.request.args
        if not args.get("from"):
            return False
        try:
            wish = clip_of(args)
        except UsageError as error:
            refuse_play(exchange, name.url, Response.of_text(400, f"{name.url}: {error.detail}"))
            return True
        known = self.joins.hub.find(name)
        ClipRequest(self, exchange, known.name if known is not None else name, container, wish).begin()
        return True


class ClipRequest:
    """One request for a clip."""

    __slots__ = ("_container", "_exchange", "_join", "_name", "_server", "_wish")

    def __init__(
        self, server: ClipServer, exchange: Exchange, name: StreamName, container: str, wish: ClipWish
    ) -> None:
        self._server = server
        self._exchange = exchange
        self._name = name
        self._container = container
        self._wish = wish
        self._join = Join(
            server.joins,
            access_request(exchange.request, Action.PLAY, name, f"{container}-clip", exchange.scheme),
            name,
            on_missing=0,
            ready=self._ready,
            refused=self._refused,
            variant=Variant(CARRIERS[container]),
            past=wish,
            admitted=self._admitted,
        )

    def begin(self) -> None:
        self._exchange.on_lost = self._join.cancel
        self._join.begin()

    @property
    def _asker(self) -> str:
        """Who asks for what; a player that seeks asks again with another range."""
        request = self._exchange.request
        return f"{request.ip} {request.path}?{request.query}"

    def _admitted(self) -> bool:
        """Answer with a clip that the client has a part of: `from=-30` names another one by now."""
        headers = self._exchange.request.headers
        field = headers.get("range", "").replace(" ", "")
        etag = headers.get("if-range", "") or headers.get("if-match", "")
        if not etag.startswith('"'):
            etag = ""
        if not etag and (not field or field.startswith("bytes=0-")):
            return False
        clip = self._server.clips.find(self._name, self._container, etag, self._asker)
        if clip is None:
            return False
        self._answer(clip)
        return True

    def _ready(self, stream: Stream) -> None:
        try:
            self._server.clips.make(stream, self._container, self._wish, self._asker, self._answer)
        except UsageError as error:
            self._refuse(400, error.detail)
        except FilesBusyError as error:
            self._refuse(503, f"{error.detail}; ask again", Retry_After="1")

    def _answer(self, clip: Clip | str) -> None:
        self._exchange.on_lost = None
        self._join.cancel()
        if isinstance(clip, str):
            self._refuse(503, clip, Retry_After="1")
            return
        try:
            file = clip.open()
        except OSError as error:
            self._refuse(503, f"the clip cannot be sent: {error.strerror}", Retry_After="1")
        else:
            answer_file(self._exchange, file)

    def _refuse(self, status: int, text: str, **headers: str) -> None:
        self._exchange.on_lost = None
        response = Response.of_text(status, f"{self._name.url}: {text}", **headers)
        refuse_play(self._exchange, self._name.url, response)

    def _refused(self, refused: JoinRefused) -> None:
        self._exchange.on_lost = None
        self._exchange.respond(join_refusal(refused, self._name.url))
