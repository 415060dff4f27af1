"""Live responses: find the stream of a request, wait for it where asked to, start a play on its connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from fastflv import limits
from fastflv._ext.log.block import MediaBlock
from fastflv.config.model.play import StartMode
from fastflv.config.mount import Mount
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.playing.loopplayer import LoopPlayer
from fastflv.playing.player import Framing
from fastflv.playing.players import Players
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.protocols.http.exchange import BodyWriter, Exchange
from fastflv.protocols.http.message import Request, Response
from fastflv.servers.http.router import Route
from fastflv.servers.http.websocket import (
    Handshake,
    HandshakeError,
    WebSocketConnection,
    refuse_handshake,
    wants_upgrade,
)
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import SERVER_SIDE, EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.start import start_mode_of
from fastflv.stream.stream import Stream
from fastflv.stream.tracks import Tracks

log = logging.getLogger(__name__)

HEADS_MAX = limits.RESPONSE_HEADS_MAX
MISSING_SECONDS_MIN = limits.MISSING_SECONDS_MIN
CONTENT_TYPES = {"flv": "video/x-flv", "ts": "video/MP2T", "aac": "audio/aac", "mp3": "audio/mpeg"}


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Settings of a vhost for its live responses."""

    mounts: tuple[Mount, ...]
    on_missing: float = 5.0
    "How long a request for an absent stream waits for a publisher, seconds."

    fast_cache_ms: int = 0
    "Sound that a player of `.aac` and `.mp3` is sent at once, ms."

    guess_tracks: bool = True
    "An FLV header announces the tracks that there are, not `has_audio` and `has_video`."

    has_audio: bool = True
    has_video: bool = True
    drop_others: bool = True
    "Leave out a track that the FLV header does not announce."

    def variant(self, container: str) -> Variant:
        """What a player of *container* gets when it asks for nothing special."""
        if container in ("aac", "mp3"):
            return Variant(container, keep_ms=self.fast_cache_ms)
        if self.guess_tracks or not self.drop_others:
            return Variant(container)
        return Variant(container, audio=self.has_audio, video=self.has_video)

    def claims(self, variant: Variant) -> Tracks | None:
        """What an FLV header says where that is not what there is. A track that the player declined is not there."""
        if self.guess_tracks:
            return None
        return Tracks(self.has_audio and variant.audio, self.has_video and variant.video)


class PlayConnection(Protocol):
    """The connection of a player, whatever it speaks."""

    leave: Callable[[EndReason], None]

    @property
    def play(self) -> ThreadPlayer | LoopPlayer: ...

    def kick(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Wish:
    """What a request asks for."""

    name: StreamName
    variant: Variant
    begin: StartMode | None
    "None: as the vhost says."
    options: LiveOptions


class Live:
    """All live HTTP responses of a server."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        clients: Clients,
        players: Players,
        connection_limit: ConnectionLimit,
        *,
        vhost_of: Callable[[str], LiveOptions | None],
        new_id: Callable[[], str],
    ) -> None:
        self._loop = loop
        self._hub = hub
        self._clients = clients
        self._players = players
        self._vhost_of = vhost_of
        self._new_id = new_id
        self._connection_limit = connection_limit
        self._heads: dict[bytes, MediaBlock] = {}

    @property
    def routes(self) -> tuple[Route[Wish | UsageError]]:
        """The mounts of all vhosts."""
        return (Route("live", ("GET", "HEAD", "POST"), self._wish, self._handle),)

    def _handle(self, exchange: Exchange, wish: Wish | UsageError) -> None:
        if isinstance(wish, UsageError):
            exchange.respond(Response.of_text(400, str(wish)))
            return
        stream = self._hub.find(wish.name)
        if exchange.request.method == "HEAD":
            exchange.respond(self._describe(stream, wish))
        elif stream is not None and stream.settled:
            self._join(stream, wish, exchange)
        elif wish.options.on_missing <= 0 and stream is None:
            exchange.respond(self._absent(wish.options))
        else:
            _Wait(self, wish, exchange)

    def _describe(self, stream: Stream | None, wish: Wish) -> Response:
        """Return the answer to HEAD."""
        if stream is None:
            return self._absent(wish.options)
        why = stream.refusal(wish.variant) if stream.settled else ""
        if why:
            return Response.of_text(406, why)
        headers = {"Cache-Control": "no-cache"}
        return Response(content_type=CONTENT_TYPES[wish.variant.container], headers=headers, endless=True)

    def _wish(self, request: Request) -> Wish | UsageError | None:
        """Find what a request asks for; None when no mount matches, an error for a choice that is none."""
        args = request.args
        options = self._vhost_of(args.get("vhost") or args.get("domain") or request.host)
        if options is None:
            return None
        for mount in options.mounts:
            names = mount.match(request.path)
            if names is not None:
                asked = {**mount.args, **args}
                try:
                    variant = options.variant(mount.container).asked(asked)
                    return Wish(StreamName(mount.vhost, *names), variant, start_mode_of(asked), options)
                except UsageError as error:
                    return error
        return None

    def _absent(self, options: LiveOptions) -> Response:
        return Response.of_text(
            404, "no such stream is live", Retry_After=str(max(1, round(options.on_missing)))
        )

    def _join(self, stream: Stream, wish: Wish, exchange: Exchange) -> None:
        """Start a play for a request, or refuse it."""
        why = stream.refusal(wish.variant)
        if why:
            exchange.respond(Response.of_text(406, why))
            return
        if wants_upgrade(exchange.request):
            self._join_websocket(stream, wish, exchange)
            return
        head = _head(wish)
        taken = exchange.take_socket(head)
        if taken is not None:
            detached = _Detached(self._connection_limit)
            framing = Framing.CHUNKED if taken.chunked else Framing.RAW
            detached.play = self._players.take_over(taken.fd, stream.options, framing, detached.ended)
            self._begin(stream, wish, exchange, detached, exchange.scheme, self._shared(taken.head))
            return
        # A player that the event loop serves stops writing at the first byte that the socket does not take,
        # and has time limits of its own.
        writer = exchange.respond_stream(head, buffer=0, idle=None)
        if writer is not None:
            streamed = _Streamed(writer)
            streamed.play = self._players.write_to(writer, stream.options, Framing.RAW, streamed.ended)
            streamed.follow(exchange)
            self._begin(stream, wish, exchange, streamed, exchange.scheme)

    def _join_websocket(self, stream: Stream, wish: Wish, exchange: Exchange) -> None:
        try:
            handshake = Handshake(exchange.request)
        except HandshakeError as error:
            exchange.respond(refuse_handshake(error))
            return
        scheme = "wss" if exchange.secure else "ws"
        socket = WebSocketConnection(
            self._loop, handshake.ws, exchange.request.ip, self._connection_limit.leave
        )
        if exchange.upgrade(socket, handshake.answer):
            socket.serve(
                self._players.play(socket.transport, stream.options, Framing.WEBSOCKET, socket.ended)
            )
            self._begin(stream, wish, exchange, socket, scheme)

    def _begin(
        self,
        stream: Stream,
        wish: Wish,
        exchange: Exchange,
        connection: PlayConnection,
        scheme: str,
        preamble: MediaBlock | None = None,
    ) -> None:
        """Enter the player and start its play."""
        request = exchange.request
        play = connection.play
        client = Client(
            id=self._new_id(),
            stream=stream,
            kind=f"{wish.variant.container}-play",
            ip=request.ip,
            tc_url=f"{scheme}://{request.headers.get('host', '')}/{stream.name.app}",
            name=request.path.rpartition("/")[2],
            page_url=request.headers.get("referer", ""),
            joined=self._loop.time(),
            drop=lambda client: connection.kick(),
        )
        client.link = play
        self._clients.add(client)
        log.info("player %s from %s joins %s by %s", client.id, client.ip, stream.name.url, scheme)

        def leave(reason: EndReason) -> None:
            self._clients.remove(client, reason)
            log.info(
                "player %s of %s left: %s; %d bytes in %.1f s, %s",
                client.id, stream.name.url, reason, play.sent, self._loop.time() - client.joined, play.steps,
            )  # fmt: skip

        connection.leave = leave
        outlet = stream.open(wish.variant)
        play.start(outlet, stream.start(outlet, wish.options.claims(wish.variant), wish.begin), preamble)

    def _shared(self, head: bytes) -> MediaBlock:
        """Return a response head as a block; equal heads are made once."""
        block = self._heads.get(head)
        if block is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            block = self._heads[head] = MediaBlock(head)
        return block


def _head(wish: Wish) -> Response:
    """Return the head of a live response."""
    headers = {
        "Cache-Control": "no-cache",
        # nginx must not gather an endless body before it passes it on.
        "X-Accel-Buffering": "no",
        "Connection": "close",
    }
    return Response(content_type=CONTENT_TYPES[wish.variant.container], headers=headers)


class _Detached:
    """A player whose socket a sender thread has to itself."""

    __slots__ = ("_connection_limit", "leave", "play")

    play: ThreadPlayer
    leave: Callable[[EndReason], None]

    def __init__(self, connection_limit: ConnectionLimit) -> None:
        self._connection_limit = connection_limit

    def kick(self) -> None:
        self.play.kick()

    def ended(self, reason: EndReason, whole: bool) -> None:
        self._connection_limit.leave()
        self.leave(reason)


class _Streamed:
    """A player whose answer the event loop writes."""

    __slots__ = ("_writer", "leave", "play")

    play: LoopPlayer
    leave: Callable[[EndReason], None]

    def __init__(self, writer: BodyWriter) -> None:
        self._writer = writer

    def follow(self, exchange: Exchange) -> None:
        """Pass on to the player what happens to the answer."""
        play = self.play
        exchange.on_lost = play.lost
        self._writer.on_full = play.pause_writing
        self._writer.on_drain = play.resume_writing

    def kick(self) -> None:
        self.play.kick()

    def ended(self, reason: EndReason, whole: bool) -> None:
        self.leave(reason)
        if whole and reason in SERVER_SIDE:
            self._writer.end()
        else:
            self._writer.abort()


class _Wait:
    """A request that waits for its stream, for `on_missing` seconds at most."""

    __slots__ = ("_exchange", "_live", "_timer", "_wish")

    def __init__(self, live: Live, wish: Wish, exchange: Exchange) -> None:
        self._live = live
        self._wish = wish
        self._exchange = exchange
        live._hub.wait(wish.name, self._found)
        exchange.on_lost = self._lost
        self._timer = live._loop.call_later(max(wish.options.on_missing, MISSING_SECONDS_MIN), self._missed)

    def _found(self, stream: Stream) -> None:
        self._timer.cancel()
        self._exchange.on_lost = None
        self._live._join(stream, self._wish, self._exchange)

    def _missed(self) -> None:
        self._live._hub.forget(self._wish.name, self._found)
        self._exchange.on_lost = None
        self._exchange.respond(self._live._absent(self._wish.options))

    def _lost(self) -> None:
        self._timer.cancel()
        self._live._hub.forget(self._wish.name, self._found)
