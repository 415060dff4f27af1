"""What a playlist request asks of that whose playlist it is: a muxer, or a part of the past."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from fastflv.servers.hls.crowd import Crowd


class Presentation(Protocol):
    """A playlist that grows. Its attributes are those of `HlsMuxer`."""

    asked: float

    @property
    def text(self) -> str: ...

    @property
    def path(self) -> str: ...

    @property
    def rates(self) -> tuple[int, int]: ...

    @property
    def frame_rate(self) -> float: ...

    @property
    def ended(self) -> bool: ...

    @property
    def idle_seconds(self) -> float: ...

    @property
    def waiting(self) -> Crowd: ...

    def wait(self, woken: Callable[[], None]) -> None:
        """Have *woken* called when there is a playlist, or when there will be none."""
