"""What an RTMP connection and whoever serves its player say to each other.

The connection lives in this layer, the serving of players in another of the same rank: these are the two
shapes that they know of each other, and control puts them together.
"""

from __future__ import annotations

from asyncio import Transport
from collections.abc import Callable
from typing import Protocol

from fastflv.protocols.rtmp.events import PlayWanted
from fastflv.stream.endreason import EndReason


class Playing(Protocol):
    """One play of a connection, from its request on."""

    def say(self, data: bytes) -> None:
        """Send an answer of the session between two media messages."""

    def pause(self, paused: bool) -> None: ...

    def choose(self, *, audio: bool | None = None, video: bool | None = None) -> None:
        """Send a kind of track or leave it out; None leaves it as it is."""

    def stop(self) -> None:
        """The player wants no more; `PlayPeer.play_over` follows when the connection is free for other things."""

    def cancel(self) -> None:
        """The connection is about to close: what has not begun must not begin."""

    def lost(self) -> None:
        """The connection is gone."""

    def pause_writing(self) -> None: ...

    def resume_writing(self) -> None: ...


class PlayPeer(Protocol):
    """The connection that a play belongs to."""

    @property
    def transport(self) -> Transport: ...

    @property
    def ip(self) -> str: ...

    @property
    def tc_url(self) -> str: ...

    @property
    def page_url(self) -> str: ...

    @property
    def chunk_size(self) -> int:
        """Bytes, as announced to the player."""

    def accept_play(self) -> None:
        """Tell the player that media follows."""

    def refuse_play(self, code: str, why: str) -> None:
        """Tell it that none does, and close."""

    def play_over(self, reason: EndReason, whole: bool) -> None:
        """Nothing more is sent. STOPPED leaves the connection open, any other reason closes it; not *whole*: at once."""


StartPlay = Callable[[PlayPeer, PlayWanted, str], Playing]
"Starts the play that a connection asked for, on the vhost named."
