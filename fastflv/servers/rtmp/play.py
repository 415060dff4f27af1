"""One play of an RTMP connection: a cursor on a log of ready-made chunks, joined at a keyframe like all others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any, TypedDict
from urllib.parse import parse_qsl

from fastflv import limits
from fastflv.access.request import AccessRequest
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.playing.join import Join, JoinFailure, JoinRefused
from fastflv.playing.player import Framing, Player
from fastflv.playing.threadplayer import PlayerAt, ThreadPlayer
from fastflv.protocols.rtmp.events import PlayWanted
from fastflv.servers.rtmp.options import RtmpOptions
from fastflv.stream.clients import Client
from fastflv.stream.endreason import EndReason
from fastflv.stream.lag import NO_STEPS, UNBEGUN, Beginning, Steps
from fastflv.stream.moment import RewindWish, rewind_of
from fastflv.stream.name import StreamName
from fastflv.stream.rewind import Rewind
from fastflv.stream.start import start_mode_of
from fastflv.stream.stream import Phase, Stream, StreamOptions
from fastflv.stream.streamstate import request_state

if TYPE_CHECKING:
    from fastflv.servers.rtmp.connection import RtmpConnection

log = logging.getLogger(__name__)

NOT_FOUND = "NetStream.Play.StreamNotFound"
FAILED = "NetStream.Play.Failed"
CODES = {JoinFailure.MISSING: NOT_FOUND, JoinFailure.UNPLAYABLE: FAILED}
"Codes of `onStatus` by what went wrong; FAILED for all others."


class PlayState(TypedDict):
    """A play, for another process."""

    wanted: dict[str, Any]
    vhost: str
    stream: str
    "Its id."

    request: dict[str, Any]
    joined: float
    asked: float
    variant: dict[str, Any]
    paused: bool
    seen: int
    left: float
    player: PlayerAt


class RtmpPlay:
    """One play, from its request on. The connection calls `begin` once it holds the play."""

    __slots__ = (
        "_client",
        "_complete",
        "_connection",
        "_halting",
        "_join",
        "_mode",
        "_name",
        "_paused",
        "_player",
        "_rewind",
        "_rewind_wish",
        "_seen",
        "_stopped",
        "_timer",
        "_variant",
        "_wanted",
        "_why",
        "stream",
    )  # fmt: skip

    def __init__(self, connection: RtmpConnection, wanted: PlayWanted, options: RtmpOptions) -> None:
        server = connection.server
        self._connection = connection
        self._wanted = wanted
        self._name = StreamName(options.vhost, wanted.app, wanted.stream)
        self._player: Player | None = None
        self._client: Client | None = None
        self.stream: Stream | None = None
        "None until the join has found it."
        self._paused = False
        self._stopped = False
        self._timer: asyncio.TimerHandle | None = None
        "For the end of what the player asked for; None where it asked for all."
        self._complete = False
        "It has had all that it asked for."
        self._halting = False
        self._seen = -1
        "Head of the stream's own log when media was last sent."
        self._mode: StartMode | None = None
        self._rewind_wish: RewindWish | None = None
        self._rewind: Rewind | None = None
        self._why = ""
        "The query asks for something that there is not."
        self._variant = Variant("rtmp", chunk_size=connection.chunk_size, stream_id=wanted.stream_id)
        asked = dict(parse_qsl(wanted.param.lstrip("?")))
        try:
            self._variant = self._variant.asked(asked)
            self._mode = start_mode_of(asked)
            self._rewind_wish = rewind_of(asked)
        except UsageError as error:
            self._why = str(error)
        self._join = Join(
            server.joins,
            server.access_request(connection, wanted, options.vhost),
            self._name,
            on_missing=options.on_missing,
            ready=self._found,
            refused=self._refused,
            variant=self._variant,
            past=self._rewind_wish,
            room=server.joins.rewinds.refusal if self._rewind_wish is not None else None,
        )

    # --- the connection's side ---

    @property
    def stream_id(self) -> int:
        return self._wanted.stream_id

    @property
    def connection(self) -> RtmpConnection:
        return self._connection

    def begin(self) -> None:
        """Join the stream."""
        if self._why:
            self._join.refuse(JoinFailure.UNPLAYABLE, self._why)
        else:
            self._join.begin()

    def say(self, data: bytes) -> None:
        """Send an answer of the session between two media messages."""
        if self._player is not None:
            self._player.say(data)
        else:
            self._connection.transport.write(data)

    def pause(self, paused: bool) -> None:
        self._paused = paused
        self._change()

    def choose(self, *, audio: bool | None = None, video: bool | None = None) -> None:
        """Send a kind of track or leave it out; None leaves it as it is."""
        variant = self._variant
        self._variant = replace(
            variant,
            audio=variant.audio if audio is None else audio,
            video=variant.video if video is None else video,
        )
        if self._variant != variant:
            self._change()

    def stop(self) -> None:
        """The player wants no more; `play_over` of the connection follows when the socket is free."""
        self._stopped = True
        self._join.cancel()
        if self._player is None:
            self._connection.play_over(EndReason.STOPPED, True)
        else:
            self._change()

    def cancel(self) -> None:
        """The connection is about to close: what has not begun must not begin."""
        if self._player is None:
            self._stopped = True
            self._join.cancel()

    def lost(self) -> None:
        """The connection is gone."""
        self._stopped = True
        self._join.cancel()
        if self._player is not None:
            self._player.lost()

    def pause_writing(self) -> None:
        if self._player is not None:
            self._player.pause_writing()

    def resume_writing(self) -> None:
        if self._player is not None:
            self._player.resume_writing()

    # --- Link ---

    @property
    def sent(self) -> int:
        return self._player.sent if self._player is not None else 0

    @property
    def received(self) -> int:
        return 0

    @property
    def steps(self) -> Steps:
        return self._player.steps if self._player is not None else NO_STEPS

    @property
    def beginning(self) -> Beginning:
        return self._player.beginning if self._player is not None else UNBEGUN

    def drop(self, reason: EndReason) -> None:
        if self._player is not None:
            self._player.drop(reason)

    def adopt(self, options: StreamOptions) -> None:
        if self._player is not None:
            self._player.adopt(options)

    # --- to another process ---

    def state(self) -> PlayState | None:
        """Return the play as plain values; None where another process cannot go on with it. Sender threads are paused."""
        client, player = self._client, self._player
        if (
            client is None
            or not isinstance(player, ThreadPlayer)
            or self._halting
            or self._stopped
            or self._complete
            or self._rewind is not None
        ):
            return None
        at = player.state()
        if at is None:
            return None
        loop = self._connection.server.loop
        return {
            "wanted": asdict(self._wanted),
            "vhost": self._name.vhost,
            "stream": client.stream.id,
            "request": request_state(client.request),
            "joined": client.joined,
            "asked": client.asked,
            "variant": asdict(self._variant),
            "paused": self._paused,
            "seen": self._seen,
            "left": self._timer.when() - loop.time() if self._timer is not None else 0.0,
            "player": at,
        }

    def part(self, nothing: int) -> None:
        """Another process goes on with the play: forget it, and tell nobody. *nothing*: a descriptor of /dev/null."""
        server = self._connection.server
        server.idle.discard(self)
        if self._timer is not None:
            self._timer.cancel()
        client, self._client = self._client, None
        if client is not None:
            server.publications.clients.part(client)
        player, self._player = self._player, None
        if isinstance(player, ThreadPlayer):
            player.part(nothing)

    def resume(
        self, stream: Stream, request: AccessRequest, variant: Variant, state: Mapping[str, Any]
    ) -> None:
        """Go on with a play that another process has handed over, in place of `begin`.

        Raises KeyError, TypeError, ValueError and OverflowError.
        """
        connection, server = self._connection, self._connection.server
        player = server.players.play(connection.transport, stream.options, Framing.RAW, self._ended)
        assert isinstance(player, ThreadPlayer)
        self.stream, self._player, self._variant = stream, player, variant
        self._paused, self._seen = bool(state["paused"]), int(state["seen"])
        self._client = Client(request, stream, self, float(state["joined"]), float(state["asked"]))
        server.publications.clients.add(self._client, resumed=True)
        left = float(state["left"])
        if left:
            self._timer = server.loop.call_later(max(left, 0.0), self._end)
        outlet = stream.outlets.find(variant)
        if state["player"]["at"] is None or outlet is None:
            server.idle.add(self)
        player.resume(outlet, state["player"])

    # --- playing ---

    def _refused(self, refused: JoinRefused) -> None:
        if self._stopped:
            return
        if refused.failure is JoinFailure.REDIRECTED:
            self._connection.refuse_play(self, FAILED, "", url=refused.reason)
        else:
            self._connection.refuse_play(self, CODES.get(refused.failure, FAILED), refused.reason)

    def _found(self, stream: Stream) -> None:
        connection, server = self._connection, self._connection.server
        self.stream = stream
        if self._rewind_wish is not None:
            self._rewind = server.joins.rewinds.begin(stream, self._rewind_wish)
        connection.accept_play(self)
        self._player = server.players.play(connection.transport, stream.options, Framing.RAW, self._ended)
        self._client = Client(self._join.request, stream, self, server.loop.time(), self._join.asked)
        server.publications.clients.add(self._client)
        if 0 < self._wanted.duration < limits.PLAY_DURATION_MS_MAX:
            self._timer = server.loop.call_later(self._wanted.duration / 1000, self._end)
        self._go_on()

    @property
    def _wants_media(self) -> bool:
        return not self._paused and (self._variant.audio or self._variant.video)

    def _go_on(self) -> None:
        assert self.stream is not None and self._player is not None
        connection = self._connection
        idle = connection.server.idle
        source = self._rewind or self.stream
        if source.phase is Phase.ENDED:
            self.stream_ended()
        elif self._wants_media and source.outlets.refusal(self._variant):
            self._ended(EndReason.NO_ROOM, True)
        elif self._wants_media:
            resumes = connection.resumes and self._seen < 0
            outlet = source.open(self._variant, resumes=resumes)
            # Not before: the times that an idle player was told go on.
            idle.discard(self)
            # A GOP that was sent in part would turn the player's time back.
            fresh = source.log.key_pos >= self._seen
            mode = self._mode if fresh else StartMode.KEY
            start = source.start(outlet, begin=mode, true_pace=connection.relay, resumes=resumes)
            self._player.start(outlet, start)
        else:
            idle.add(self)

    def stream_ended(self) -> None:
        """The stream has ended while the player was idle: nothing of it is left to send."""
        self._ended(self._connection.server.players.reason(EndReason.STREAM_ENDED), True)

    def _end(self) -> None:
        self._complete = True
        self._change()

    def _change(self) -> None:
        """Stop behind the present message; then do what is wanted by then."""
        if self._player is not None and not self._halting:
            self._halting = True
            self._player.halt(self._halted)

    def _halted(self) -> None:
        self._halting = False
        if self._complete and not self._stopped:
            self._ended(EndReason.COMPLETE, True)
        elif self._stopped:
            self._leave(EndReason.STOPPED)
            self._player = None
            self._connection.play_over(EndReason.STOPPED, True)
        else:
            idle = self._connection.server.idle
            if self.stream is not None and self not in idle:
                self._seen = (self._rewind or self.stream).log.head
                idle.add(self)
            self._go_on()

    def _ended(self, reason: EndReason, whole: bool) -> None:
        self._leave(reason)
        self._player = None
        # A player that stopped before the stream ended keeps its connection.
        stopped = self._stopped and whole and reason is EndReason.STREAM_ENDED
        self._connection.play_over(EndReason.STOPPED if stopped else reason, whole)

    def _leave(self, reason: EndReason) -> None:
        server = self._connection.server
        server.idle.discard(self)
        if self._rewind is not None:
            server.joins.rewinds.end(self._rewind)
            self._rewind = None
        if self._timer is not None:
            self._timer.cancel()
        client, self._client = self._client, None
        if client is not None:
            server.publications.clients.remove(client, reason, server.loop.time())
