from typing import NamedTuple, final

from fastflv._ext.log.medialog import MediaLog

class Spot(NamedTuple):
    """A tag that a player may start with."""

    position: int
    dts_ms: int
    wall_ms: int

class Step(NamedTuple):
    """A place, and what a cut before it needs to know."""

    position: int
    dts_ms: int
    wall_ms: int
    before_ms: int
    audio: bool
    video: bool
    headers: bytes | None

@final
class Past:
    """Keeps the pages of a log beyond its own bounds."""

    def __init__(self, log: MediaLog, *, window_ms: int, bytes_max: int) -> None: ...
    @property
    def log(self) -> MediaLog: ...
    def adopt(self, *, window_ms: int, bytes_max: int) -> None: ...
    def close(self) -> None: ...
    @property
    def kept_bytes(self) -> int: ...
    @property
    def spots(self) -> list[Spot]: ...
    @property
    def oldest(self) -> Spot | None: ...
    @property
    def newest(self) -> Spot | None: ...
    def steps(self, behind: int, most: int) -> list[Step]: ...
    def tag_before(self, position: int, dts_ms: int, kind: int) -> tuple[int, int] | None: ...
    def nearest(self, dts_ms: int) -> Spot | None: ...
    def before(self, dts_ms: int) -> Spot | None: ...
    def dts_at(self, wall_ms: int) -> int: ...
