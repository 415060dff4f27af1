from typing import final

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.remux import Remux

@final
class RtmpMux(Remux):
    """FLV tags as RTMP chunks."""

    def __init__(
        self, source: MediaLog, log: MediaLog, chunk_size: int, stream_id: int, publishes: bool = False
    ) -> None: ...
    @property
    def chunk_size(self) -> int: ...
    @property
    def stream_id(self) -> int: ...
    @property
    def publishes(self) -> bool: ...
    def headers(self, tags: bytes) -> bytes: ...
