"""RTMP players: cursors on a log of ready-made chunks, joined at a keyframe like all others."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Protocol
from urllib.parse import parse_qsl

from fastflv import limits
from fastflv.config.model.play import StartMode
from fastflv.containers.variant import Variant
from fastflv.errors import UsageError
from fastflv.playing.loopplayer import LoopPlayer
from fastflv.playing.player import Framing
from fastflv.playing.players import Players
from fastflv.playing.threadplayer import ThreadPlayer
from fastflv.stream.clients import Client, Clients
from fastflv.stream.endreason import EndReason
from fastflv.stream.hub import Hub
from fastflv.stream.name import StreamName
from fastflv.stream.start import start_mode_of
from fastflv.stream.stream import Phase, Stream

log = logging.getLogger(__name__)

NOT_FOUND = "NetStream.Play.StreamNotFound"
FAILED = "NetStream.Play.Failed"


class Wanted(Protocol):
    """What a player asks for: `play` with its arguments."""

    @property
    def app(self) -> str: ...

    @property
    def stream(self) -> str: ...

    @property
    def param(self) -> str: ...

    @property
    def stream_id(self) -> int: ...


class Peer(Protocol):
    """The connection of a player (ingest.playing.PlayPeer)."""

    @property
    def transport(self) -> asyncio.Transport: ...

    @property
    def ip(self) -> str: ...

    @property
    def tc_url(self) -> str: ...

    @property
    def page_url(self) -> str: ...

    @property
    def chunk_size(self) -> int: ...

    def accept_play(self) -> None: ...

    def refuse_play(self, code: str, why: str) -> None: ...

    def play_over(self, reason: EndReason, whole: bool) -> None: ...


class RtmpPlays:
    """What all RTMP players of a server share."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        hub: Hub,
        clients: Clients,
        players: Players,
        *,
        on_missing: Callable[[str], float],
        new_id: Callable[[], str],
    ) -> None:
        self.loop = loop
        self.hub = hub
        self.clients = clients
        self.players = players
        self.on_missing = on_missing
        self.new_id = new_id
        self.idle: set[RtmpPlay] = set()
        "Those that want nothing for now: no sender sees the end of their stream."
        hub.watchers.append(self)

    def stream_began(self, stream: Stream) -> None: ...

    def stream_left(self, stream: Stream) -> None: ...

    def stream_ended(self, stream: Stream) -> None:
        for play in [play for play in self.idle if play.stream is stream]:
            play.stream_ended()

    def start(self, peer: Peer, wanted: Wanted, vhost: str) -> RtmpPlay:
        """Start the play that *peer* asked for, or wait for its stream."""
        return RtmpPlay(self, peer, wanted, vhost)


class RtmpPlay:
    """One play of an RTMP connection, from its request on."""

    __slots__ = (
        "_begin", "_client", "_halting", "_name", "_paused", "_peer", "_play", "_plays", "_seen", "_stopped", "_timer",
        "_variant", "stream",
    )  # fmt: skip

    def __init__(self, plays: RtmpPlays, peer: Peer, wanted: Wanted, vhost: str) -> None:
        self._plays = plays
        self._peer = peer
        self._name = StreamName(vhost, wanted.app, wanted.stream)
        self._play: ThreadPlayer | LoopPlayer | None = None
        self._client: Client | None = None
        self.stream: Stream | None = None
        "None while it is waited for."
        self._timer: asyncio.TimerHandle | None = None
        self._paused = False
        self._stopped = False
        self._halting = False
        self._seen = -1
        "Head of the stream's own log when media was last sent."
        variant = Variant("rtmp", chunk_size=peer.chunk_size, stream_id=wanted.stream_id)
        self._begin: StartMode | None = None
        try:
            asked = dict(parse_qsl(wanted.param.lstrip("?")))
            self._variant = variant.asked(asked)
            self._begin = start_mode_of(asked)
        except UsageError as error:
            self._variant = variant
            self._refuse_soon(FAILED, str(error))
            return
        stream = plays.hub.find(self._name)
        seconds = plays.on_missing(vhost)
        if stream is not None and stream.settled:
            # Behind the return to the connection, which keeps this play first.
            plays.loop.call_soon(self._found_again)
        elif stream is None and seconds <= 0:
            self._refuse_soon(NOT_FOUND, f"no stream {self._name.url} is live")
        else:
            plays.hub.wait(self._name, self._found)
            self._timer = plays.loop.call_later(max(seconds, limits.MISSING_SECONDS_MIN), self._missed)

    # --- the connection's side ---

    def say(self, data: bytes) -> None:
        if self._play is not None:
            self._play.say(data)
        else:
            self._peer.transport.write(data)

    def pause(self, paused: bool) -> None:
        self._paused = paused
        self._change()

    def choose(self, *, audio: bool | None = None, video: bool | None = None) -> None:
        variant = self._variant
        self._variant = replace(
            variant,
            audio=variant.audio if audio is None else audio,
            video=variant.video if video is None else video,
        )
        if self._variant != variant:
            self._change()

    def stop(self) -> None:
        self._stopped = True
        self._forget()
        if self._play is None:
            self._peer.play_over(EndReason.STOPPED, True)
        else:
            self._change()

    def cancel(self) -> None:
        if self._play is None:
            self._stopped = True
            self._forget()

    def lost(self) -> None:
        self._stopped = True
        self._forget()
        if self._play is not None:
            self._play.lost()

    def pause_writing(self) -> None:
        if isinstance(self._play, LoopPlayer):
            self._play.pause_writing()

    def resume_writing(self) -> None:
        if self._play is not None:
            self._play.resume_writing()

    # --- waiting ---

    def _refuse_soon(self, code: str, why: str) -> None:
        def refuse() -> None:
            if not self._stopped:
                self._peer.refuse_play(code, why)

        self._plays.loop.call_soon(refuse)

    def _found_again(self) -> None:
        stream = self._plays.hub.find(self._name)
        if self._stopped:
            return
        if stream is not None and stream.settled:
            self._found(stream)
        else:
            self._missed()

    def _missed(self) -> None:
        self._forget()
        self._peer.refuse_play(NOT_FOUND, f"no stream {self._name.url} is live")

    def _forget(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._plays.hub.forget(self._name, self._found)

    # --- playing ---

    def _found(self, stream: Stream) -> None:
        self._forget()
        if self._stopped:
            # It was let go by another who waited for this stream.
            return
        peer, plays = self._peer, self._plays
        why = stream.refusal(self._variant)
        if why:
            peer.refuse_play(FAILED, why)
            return
        self.stream = stream
        self._client = Client(
            id=plays.new_id(),
            stream=stream,
            kind="rtmp-play",
            ip=peer.ip,
            tc_url=peer.tc_url,
            name=self._name.stream,
            page_url=peer.page_url,
            joined=plays.loop.time(),
            drop=lambda client: self._kick(),
        )
        peer.accept_play()
        self._play = plays.players.play(peer.transport, stream.options, Framing.RAW, self._ended)
        self._client.link = self._play
        plays.clients.add(self._client)
        log.info("player %s from %s joins %s by rtmp", self._client.id, peer.ip, self._name.url)
        self._go_on()

    @property
    def _wants_media(self) -> bool:
        return not self._paused and (self._variant.audio or self._variant.video)

    def _go_on(self) -> None:
        assert self.stream is not None and self._play is not None
        self._plays.idle.discard(self)
        if self.stream.phase is Phase.ENDED:
            self.stream_ended()
        elif self._wants_media:
            outlet = self.stream.open(self._variant)
            # A GOP that was sent in part would turn the player's time back.
            fresh = self.stream.log.key_pos >= self._seen
            begin = self._begin if fresh else StartMode.KEY
            self._play.start(outlet, self.stream.start(outlet, begin=begin))
        else:
            self._plays.idle.add(self)

    def stream_ended(self) -> None:
        """The stream is over, and there is nothing left to send of it."""
        self._ended(self._plays.players.reason(EndReason.STREAM_ENDED), True)

    def _change(self) -> None:
        """Stop behind the present message; then do what is wanted by then."""
        if self._play is not None and not self._halting:
            self._halting = True
            self._play.halt(self._halted)

    def _halted(self) -> None:
        self._halting = False
        if self._stopped:
            self._leave(EndReason.STOPPED)
            self._play = None
            self._peer.play_over(EndReason.STOPPED, True)
        else:
            if self.stream is not None and self not in self._plays.idle:
                self._seen = self.stream.log.head
            self._go_on()

    def _kick(self) -> None:
        if self._play is not None:
            self._play.kick()

    def _ended(self, reason: EndReason, whole: bool) -> None:
        self._leave(reason)
        self._play = None
        # Who had enough of the stream before it ended goes on with other things.
        stopped = self._stopped and whole and reason is EndReason.STREAM_ENDED
        self._peer.play_over(EndReason.STOPPED if stopped else reason, whole)

    def _leave(self, reason: EndReason) -> None:
        self._plays.idle.discard(self)
        client, self._client = self._client, None
        if client is not None and self._play is not None:
            self._plays.clients.remove(client, reason)
            log.info(
                "player %s of %s left: %s; %d bytes in %.1f s, %s",
                client.id, self._name.url, reason, self._play.sent, self._plays.loop.time() - client.joined,
                self._play.steps,
            )  # fmt: skip
