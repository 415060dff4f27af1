from collections.abc import Callable
from typing import final

from fastflv._ext.log.follower import Follower
from fastflv._ext.log.medialog import MediaLog

@final
class LogObserver(Follower):
    """Calls Python code when a log has grown."""

    def __init__(self, on_publish: Callable[[bool], None]) -> None: ...

class BehindObserver(Follower):
    read_ms: int
    def __init__(self, log: MediaLog, on_behind: Callable[[], object], behind_ms: int) -> None: ...
