from collections.abc import Callable
from typing import final

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.remux import Remux

@final
class FlvMux(Remux):
    """FLV tags from FLV tags: some tracks left out, HEVC under the other of its two labels."""

    def __init__(
        self,
        source: MediaLog,
        log: MediaLog,
        *,
        audio: bool = True,
        video: bool = True,
        keys_only: bool = False,
        label: int = 0,
        edit: Callable[[bytes], bytes] | None = None,
    ) -> None: ...
    def headers(self, tags: bytes) -> bytes: ...
