from collections.abc import Callable
from typing import Protocol, final

from typing_extensions import Buffer

from fastflv._ext.medialog import MediaLog
from fastflv._ext.remux import Remux

class Setup(Protocol):
    """What a muxer needs of a decoder configuration."""

    @property
    def length_size(self) -> int: ...
    @property
    def sets(self) -> bytes: ...
    @property
    def object_type(self) -> int: ...
    @property
    def rate_index(self) -> int: ...
    @property
    def channels(self) -> int: ...

Describe = Callable[[int, int, bytes], Setup | None]
"Called as `describe(kind, codec, record)` for each sequence header; None: the container cannot carry that."

@final
class TsMux(Remux):
    """MPEG-TS from FLV tags."""

    def __init__(self, source: MediaLog, log: MediaLog, describe: Describe) -> None: ...
    @property
    def streams(self) -> list[tuple[int, int]]: ...
    def tables(self) -> bytes: ...

def mux(flv: Buffer, describe: Describe) -> bytes:
    """Return a whole FLV file as MPEG-TS. Raises FlvHeaderError."""
