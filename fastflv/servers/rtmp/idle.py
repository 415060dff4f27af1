"""RTMP players that are paused or want no track: no sender follows their stream, so its end is watched here."""

from __future__ import annotations

from typing import Protocol

from fastflv.stream.stream import Stream


class IdlePlay(Protocol):
    @property
    def stream(self) -> Stream | None: ...

    def stream_ended(self) -> None: ...


class IdlePlays:
    """A watcher of the hub."""

    def __init__(self) -> None:
        self._plays: set[IdlePlay] = set()

    def __contains__(self, play: IdlePlay) -> bool:
        return play in self._plays

    def add(self, play: IdlePlay) -> None:
        if play not in self._plays and play.stream is not None:
            play.stream.outlets.paused += 1
            self._plays.add(play)

    def discard(self, play: IdlePlay) -> None:
        if play in self._plays and play.stream is not None:
            play.stream.outlets.paused -= 1
            self._plays.remove(play)

    def stream_began(self, stream: Stream) -> None: ...

    def stream_left(self, stream: Stream) -> None: ...

    def stream_ended(self, stream: Stream) -> None:
        for play in [play for play in self._plays if play.stream is stream]:
            play.stream_ended()
