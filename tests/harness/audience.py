"""Players of one stream by FLV, WebSocket, RTMP and TS, each read to its end beside the test."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clip import decode
from flvread import AUDIO, SCRIPT, VIDEO, Tag, flv_file
from model import ts
from player import Player, Recorder
from rtmpplayer import RtmpPlayer
from server import Server, until
from wsclient import WebSocket

from fastflv.media.amf import amf0

PROTOCOLS = ("flv", "ws", "rtmp", "ts")
Reader = Player | WebSocket | RtmpPlayer


def join(server: Server, name: str, protocol: str) -> Reader:
    """Ask for a stream."""
    if protocol == "rtmp":
        return RtmpPlayer(server.rtmp).open(name)
    if protocol == "ws":
        return WebSocket(server.http, f"/live/{name}.flv")
    return Player(server.http, f"/live/{name}.{protocol}", flv=protocol == "flv")


class Seat:
    """One player that reads to the end."""

    def __init__(self, protocol: str, player: Reader) -> None:
        self.protocol = protocol
        self.player = player
        self._recorder = Recorder(player)

    def done(self, timeout: float = 20) -> Seat:
        self._recorder.done(timeout)
        return self

    # --- what came ---

    @property
    def tags(self) -> list[Tag]:
        assert not isinstance(self.player, Player) or self.protocol == "flv"
        return self.player.tags

    @property
    def size(self) -> int:
        """Bytes of TS, tags of the others, so far."""
        return len(self.player.body) if self.protocol == "ts" else len(self.tags)  # type: ignore[union-attr]

    @property
    def metadata(self) -> list[dict[str, Any]]:
        """Each onMetaData that came."""
        return [fields for name, fields in scripts(self.tags) if name == "onMetaData"]

    def ts(self) -> ts.Reader:
        assert isinstance(self.player, Player)
        return ts.read_ts(bytes(self.player.body))

    def save(self, folder: Path) -> Path:
        """Write what came as a file; FLV for all but TS."""
        path = folder / f"{self.protocol}.{'ts' if self.protocol == 'ts' else 'flv'}"
        if isinstance(self.player, Player):
            path.write_bytes(self.player.body)
        else:
            path.write_bytes(flv_file(self.tags))
        return path

    def decode(self, folder: Path) -> None:
        """A decoder must be content with all that came."""
        decode(self.save(folder))


class Audience:
    """One player of each protocol."""

    def __init__(self, server: Server, name: str, protocols: tuple[str, ...] = PROTOCOLS) -> None:
        self.name = name
        self.server = server
        self.seats = {protocol: Seat(protocol, join(server, name, protocol)) for protocol in protocols}

    def ready(self) -> Audience:
        """Wait until every player has been sent something."""
        until(lambda: all(seat.size > 1 for seat in self.seats.values()), "every player has media", 10)
        return self

    def quiet(self) -> dict[str, int]:
        """Wait until nothing has come for a while; return how much every player has."""
        seen: list[dict[str, int]] = []

        def still() -> bool:
            seen.append({protocol: seat.size for protocol, seat in self.seats.items()})
            return len(seen) > 10 and seen[-1] == seen[-10]

        until(still, "players that have all there is", 5)
        return seen[-1]

    def done(self, timeout: float = 20) -> dict[str, Seat]:
        return {protocol: seat.done(timeout) for protocol, seat in self.seats.items()}

    def wait(self, enough: Callable[[Seat], bool], what: str, timeout: float = 10) -> None:
        until(lambda: all(enough(seat) for seat in self.seats.values()), what, timeout)


def scripts(tags: list[Tag]) -> list[tuple[Any, Any]]:
    """Name and fields of every script tag."""
    found = []
    for tag in tags:
        if tag.kind == SCRIPT:
            values = amf0.decode_all(tag.body)
            found.append((values[0], values[1] if len(values) > 1 else None))
    return found


def check_times(tags: list[Tag]) -> None:
    """Time of each kind never goes back."""
    for kind in (AUDIO, VIDEO):
        times = [tag.time for tag in tags if tag.kind == kind and not tag.is_config]
        assert times == sorted(times), f"time of kind {kind} goes back"
