from collections.abc import Callable
from typing import final

from fastflv._ext.log.follower import Follower

@final
class LogObserver(Follower):
    """Tells Python code that a log has grown."""

    def __init__(self, tell: Callable[[bool], None]) -> None: ...
