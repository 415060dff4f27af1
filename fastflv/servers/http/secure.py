"""HTTPS players: the connection behind a live response that the event loop sends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from fastflv.playing.loopplayer import LoopPlayer
from fastflv.stream.endreason import SERVER_SIDE, EndReason


class SecureConnection(asyncio.Protocol):
    """What an HTTPS connection becomes once its live response begins. `play` and `leave` are set before that.

    *lost* is called once, when the connection is gone.
    """

    play: LoopPlayer
    leave: Callable[[EndReason], None]
    "Called once, with the reason, when the play is over."

    def __init__(self, transport: asyncio.Transport, lost: Callable[[], None]) -> None:
        self._transport = transport
        self._lost = lost

    def data_received(self, data: bytes) -> None:
        """What a client sends behind its request is read away: a full receive buffer would hide its end."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._lost()
        self.play.lost()

    def pause_writing(self) -> None:
        self.play.pause_writing()

    def resume_writing(self) -> None:
        self.play.resume_writing()

    def kick(self) -> None:
        """The operator ends it."""
        self.play.kick()

    def ended(self, reason: EndReason, whole: bool) -> None:
        """The play is over."""
        self.leave(reason)
        if whole and reason in SERVER_SIDE:
            self._transport.close()
        else:
            self._transport.abort()
