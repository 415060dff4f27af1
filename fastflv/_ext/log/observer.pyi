from collections.abc import Callable
from typing import final

from fastflv._ext.log.follower import Follower

@final
class LogObserver(Follower):
    """Calls Python code when a log has grown."""

    def __init__(self, on_publish: Callable[[bool], None]) -> None: ...
