from typing import final

from fastflv._ext.log.medialog import MediaLog
from fastflv._ext.mux.remux import Describe, Remux

@final
class AudioMux(Remux):
    """The audio of a stream without a container: `aac` (ADTS frames) or `mp3`."""

    def __init__(self, source: MediaLog, log: MediaLog, describe: Describe, container: str) -> None: ...
