from typing import Self, final

@final
class LoadMeter:
    """How busy the event loop is with sending, and the merge window that follows."""

    def __new__(cls, now: float) -> Self: ...
    @property
    def window_ms(self) -> int: ...
    def worked(self, began: float, now: float, own: float) -> bool:
        """Count the time from *began* to *now*, seconds of one clock; return whether the window has changed."""
