"""Live responses: find the stream of a request, wait for it where asked to, start a play on its connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from wsproto.utilities import RemoteProtocolError

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
from fastflv.protocols.http.message import SERVER, Request, Response, cors_fields, encode_head
from fastflv.servers.http.connection import HttpConnection
from fastflv.servers.http.secure import SecureConnection
from fastflv.servers.http.websocket import Handshake, WebSocketConnection, refuse_handshake, wants_upgrade
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
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

    def handle(self, request: Request, connection: HttpConnection) -> Response | None:
        """Answer when the request is for a live stream; a 404 otherwise."""
        try:
            wish = self._wish(request)
        except UsageError as error:
            return Response.of_text(400, str(error))
        if wish is None:
            return Response.of_text(404)
        stream = self._hub.find(wish.name)
        if request.method == "HEAD":
            if stream is None:
                return self._absent(wish.options)
            why = stream.refusal(wish.variant) if stream.settled else ""
            if why:
                return Response.of_text(406, why)
            head = Response(content_type=CONTENT_TYPES[wish.variant.container], endless=True)
            head.headers["Cache-Control"] = "no-cache"
            return head
        if request.method not in ("GET", "POST"):
            return Response.of_text(405, Allow="GET, HEAD, OPTIONS")
        if stream is not None and stream.settled:
            return self._join(stream, wish, request, connection)
        if wish.options.on_missing <= 0 and stream is None:
            return self._absent(wish.options)
        _Wait(self, wish, request, connection)
        return None

    def _wish(self, request: Request) -> Wish | None:
        """Find what a request asks for; None when no mount matches. Raises UsageError for a choice that is none."""
        args = request.args
        options = self._vhost_of(args.get("vhost") or args.get("domain") or request.host)
        if options is None:
            return None
        for mount in options.mounts:
            names = mount.match(request.path)
            if names is not None:
                asked = {**mount.args, **args}
                variant = options.variant(mount.container).asked(asked)
                return Wish(StreamName(mount.vhost, *names), variant, start_mode_of(asked), options)
        return None

    def _absent(self, options: LiveOptions) -> Response:
        return Response.of_text(
            404, "no such stream is live", Retry_After=str(max(1, round(options.on_missing)))
        )

    def _join(
        self, stream: Stream, wish: Wish, request: Request, connection: HttpConnection
    ) -> Response | None:
        """Start a play on the connection; a response where that cannot be."""
        why = stream.refusal(wish.variant)
        if why:
            return Response.of_text(406, why)
        if wants_upgrade(request):
            return self._join_websocket(stream, wish, request, connection)
        framing = Framing.CHUNKED if request.version == "1.1" and request.keep_alive else Framing.RAW
        preamble = self._head(request, framing, wish, connection.cross_domain)
        if connection.is_secure:
            transport = connection.transport
            if transport is not None:
                secure = SecureConnection(transport, self._connection_limit.leave)
                secure.play = LoopPlayer(self._players, stream.options, framing, secure.ended, transport)
                connection.hand_over(secure)
                self._begin(stream, wish, request, secure, preamble, "https")
            return None
        fd = connection.detach()
        if fd is not None:
            detached = _Detached(self._connection_limit)
            detached.play = self._players.take_over(fd, stream.options, framing, detached.ended)
            self._begin(stream, wish, request, detached, preamble, "http")
        return None

    def _join_websocket(
        self, stream: Stream, wish: Wish, request: Request, connection: HttpConnection
    ) -> Response | None:
        try:
            handshake = Handshake(request)
        except RemoteProtocolError as error:
            return refuse_handshake(error)
        transport = connection.transport
        if transport is None:
            return None
        scheme = "wss" if connection.is_secure else "ws"
        socket = WebSocketConnection(
            self._loop, transport, handshake.ws, request.ip, self._connection_limit.leave
        )
        socket.play = self._players.play(transport, stream.options, Framing.WEBSOCKET, socket.ended)
        connection.hand_over(socket)
        self._begin(stream, wish, request, socket, MediaBlock(handshake.answer), scheme)
        return None

    def _begin(
        self,
        stream: Stream,
        wish: Wish,
        request: Request,
        connection: PlayConnection,
        preamble: MediaBlock,
        scheme: str,
    ) -> None:
        """Enter the player and start its play."""
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

    def _head(self, request: Request, framing: Framing, wish: Wish, cross_domain: bool) -> MediaBlock:
        """Return the response head; equal heads are made once."""
        fields = {
            "Server": SERVER,
            "Content-Type": CONTENT_TYPES[wish.variant.container],
            "Cache-Control": "no-cache",
            # nginx must not gather an endless body before it passes it on.
            "X-Accel-Buffering": "no",
            "Connection": "close",
        }
        if framing is Framing.CHUNKED:
            fields["Transfer-Encoding"] = "chunked"
        if cross_domain:
            fields |= cors_fields(request)
        key = encode_head(200, fields)
        block = self._heads.get(key)
        if block is None:
            if len(self._heads) >= HEADS_MAX:
                self._heads.clear()
            block = self._heads[key] = MediaBlock(key)
        return block


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


class _Wait:
    """A request that waits for its stream, for `on_missing` seconds at most."""

    __slots__ = ("_connection", "_live", "_request", "_timer", "_wish")

    def __init__(self, live: Live, wish: Wish, request: Request, connection: HttpConnection) -> None:
        self._live = live
        self._wish = wish
        self._request = request
        self._connection = connection
        live._hub.wait(wish.name, self._found)
        connection.on_lost = self._lost
        self._timer = live._loop.call_later(max(wish.options.on_missing, MISSING_SECONDS_MIN), self._missed)

    def _found(self, stream: Stream) -> None:
        self._timer.cancel()
        self._connection.on_lost = None
        response = self._live._join(stream, self._wish, self._request, self._connection)
        if response is not None:
            self._connection.answer(response)

    def _missed(self) -> None:
        self._live._hub.forget(self._wish.name, self._found)
        self._connection.on_lost = None
        self._connection.answer(self._live._absent(self._wish.options))

    def _lost(self) -> None:
        self._timer.cancel()
        self._live._hub.forget(self._wish.name, self._found)
