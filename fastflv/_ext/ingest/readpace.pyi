from typing import final

@final
class ReadPace:
    """Bounds the work of one read."""

    @property
    def room(self) -> int:
        """Bytes of the next read at most."""
    def spent(self, size: int, began: float, ended: float) -> bool: ...
