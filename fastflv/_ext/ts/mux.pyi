from typing import final

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.remux import Describe, Remux

@final
class TsMux(Remux):
    """MPEG-TS from FLV tags."""

    def __init__(self, source: MediaLog, log: MediaLog, describe: Describe) -> None: ...
    def tables(self) -> bytes: ...
