from typing import final

from fastflv._ext.medialog import MediaLog
from fastflv._ext.remux import Remux
from fastflv._ext.tsmux import Describe

@final
class AudioMux(Remux):
    """The audio of a stream without a container: `aac` (ADTS frames) or `mp3`."""

    def __init__(self, source: MediaLog, log: MediaLog, describe: Describe, container: str) -> None: ...
