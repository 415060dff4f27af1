from typing import final

from fastflv._ext.log.past import Past

@final
class SpoolPage:
    """A page of the past on its way to a file."""

    @property
    def size(self) -> int: ...
    def write(self, fd: int, offset: int) -> None: ...
    def swap(self) -> None: ...

def pages_in_memory(past: Past, most: int) -> list[SpoolPage]:
    """Return the oldest pages of *past* that are in no file, some *most* bytes."""
