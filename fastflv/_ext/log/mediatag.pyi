import sys
from typing import final

@final
class PinnedBytes:
    """Counts the memory that the views of one reader keep, bytes."""

    @property
    def held(self) -> int: ...

@final
class MediaTag:
    """One FLV tag of a stream. As a buffer it is the tag's body, read only and not copied."""

    @property
    def kind(self) -> int:
        """8 audio, 9 video, 18 script data."""
    @property
    def time(self) -> int:
        """Time of decoding as players are told, ms; metadata has 0."""
    @property
    def jumped(self) -> bool:
        """The reader was late: what stood between the tag before and this one was left out."""
    @property
    def payload(self) -> memoryview: ...
    @property
    def data(self) -> memoryview: ...
    @property
    def cts(self) -> int: ...
    @property
    def codec(self) -> int: ...
    @property
    def keyframe(self) -> bool: ...
    @property
    def config(self) -> bool: ...
    def to_bytes(self, *, time: int | None = None) -> bytes: ...
    def __len__(self) -> int: ...
    if sys.version_info >= (3, 12):
        def __buffer__(self, flags: int, /) -> memoryview: ...

def read_tags(run: bytes, *, jumped: bool = False) -> list[MediaTag]: ...
