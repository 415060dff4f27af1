"""Live responses: what a request on a mount asks for, and the players of a server over HTTP and WebSocket."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from fastflv import limits
from fastflv._ext.log.block import MediaBlock
from fastflv.config.model.play import StartMode
from fastflv.config.mount import Mount
from fastflv.containers.variant import PLAIN, Variant
from fastflv.errors import UsageError, WebSocketHandshakeError
from fastflv.net.connectionlimit import ConnectionLimit
from fastflv.net.quiet import QuietSockets
from fastflv.net.turns import Turns
from fastflv.playing.join import Joins
from fastflv.playing.players import Players
from fastflv.protocols.http.exchange import Exchange
from fastflv.protocols.http.message import Response
from fastflv.servers.http.play import HeadPlay, HttpPlay, Wish
from fastflv.servers.http.refusal import refuse_play
from fastflv.servers.http.websocket import Handshake, refuse_handshake, wants_upgrade
from fastflv.servers.http.websocketplay import WebSocketPlay
from fastflv.stream.clients import Clients
from fastflv.stream.moment import RewindWish, rewind_of
from fastflv.stream.name import StreamName
from fastflv.stream.start import start_mode_of
from fastflv.stream.tracks import Tracks

TRUE_PACE_AGENTS: Final = ("Lavf/", "fastflv-edge/", "SRS/")
"""How those name themselves whose frames keep their distances: FFmpeg's programs, which measure and record (players made of it
have other names), and servers that play for others."""


RESUMES: Final = "Fastflv-Resumes"
"Field of a request of an edge; `1`: its players have the stream until now, from another server, `0`: that may be so later."


@lru_cache(limits.PLAIN_VARIANTS_MAX)
def _variant(container: str, *, audio: bool = True, video: bool = True, keep_ms: int = 0) -> Variant:
    """Return a variant; players without wishes of their own share a few."""
    variant = Variant(container, audio=audio, video=video, keep_ms=keep_ms)
    return PLAIN if variant == PLAIN else variant


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """Settings of a vhost for its live responses."""

    on_missing: float = limits.MISSING_STREAM_SECONDS
    "How long a request for an absent stream waits for a publisher, seconds."

    fast_cache_ms: int = 0
    "Audio that a player of `.aac` and `.mp3` is sent at once, ms."

    guess_tracks: bool = True
    "An FLV header announces the tracks that there are, not `has_audio` and `has_video`."

    has_audio: bool = True
    has_video: bool = True
    drop_others: bool = True
    "Leave out a track that the FLV header does not announce."

    def variant(self, container: str) -> Variant:
        """Return what a player of *container* gets when its query asks for nothing."""
        if container in ("aac", "mp3"):
            return _variant(container, keep_ms=self.fast_cache_ms)
        if self.guess_tracks or not self.drop_others:
            return _variant(container)
        return _variant(container, audio=self.has_audio, video=self.has_video)

    def claims(self, variant: Variant) -> Tracks | None:
        """Return the tracks that an FLV header announces, where they are not those of the stream."""
        if self.guess_tracks:
            return None
        return Tracks(self.has_audio and variant.audio, self.has_video and variant.video)


class Live:
    """All live HTTP responses of a server."""

    def __init__(
        self,
        joins: Joins,
        clients: Clients,
        players: Players,
        limit: ConnectionLimit,
        *,
        turns: Turns,
        quiet: QuietSockets,
        vhost_of: Callable[[str], LiveOptions],
    ) -> None:
        """*vhost_of*: the present options of a vhost by its own name."""
        self.joins = joins
        self.clients = clients
        self.players = players
        self.limit = limit
        self.turns = turns
        self.quiet = quiet
        self._vhost_of = vhost_of
        self._heads: dict[bytes, MediaBlock] = {}

    def handle(self, exchange: Exchange, mount: Mount, name: StreamName) -> None:
        """Play the stream *name* in the container of *mount*."""
        request = exchange.request
        options = self._vhost_of(name.vhost)
        known = self.joins.hub.find(name)
        if known is not None:
            # Players keep the strings of one name, not a copy each.
            name = known.name
        asked = {**mount.args, **request.args} if mount.args else request.args
        variant = options.variant(mount.container)
        mode: StartMode | None = None
        rewind: RewindWish | None = None
        if asked:
            try:
                variant = variant.asked(asked)
                mode = start_mode_of(asked)
                rewind = rewind_of(asked)
            except UsageError as error:
                refuse_play(exchange, name.url, Response.of_text(400, f"{name.url}: {error}"))
                return
        true_pace = request.headers.get("user-agent", "").startswith(TRUE_PACE_AGENTS)
        mark = request.headers.get(RESUMES.lower())
        if mark is not None:
            self.joins.hub.expect_edges()
        resumes = mark == "1"
        claims = options.claims(variant)
        wish = Wish(name, variant, mode, claims, options.on_missing, true_pace, rewind, resumes)
        if request.method == "HEAD":
            HeadPlay(self, exchange, wish).begin()
        elif wants_upgrade(request):
            try:
                handshake = Handshake(request)
            except WebSocketHandshakeError as error:
                refuse_play(exchange, name.url, refuse_handshake(error))
            else:
                WebSocketPlay(self, exchange, wish, handshake).begin()
        else:
            HttpPlay(self, exchange, wish).begin()

    def shared(self, head: bytes) -> MediaBlock:
        """Return a response head as a block; equal heads are made once."""
        block = self._heads.get(head)
        if block is None:
            if len(self._heads) >= limits.RESPONSE_HEADS_MAX:
                self._heads.clear()
            block = self._heads[head] = MediaBlock(head)
        return block
