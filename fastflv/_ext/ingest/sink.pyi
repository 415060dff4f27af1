from typing import final

class MediaSink:
    """Base of all receivers of media messages."""

@final
class CollectSink(MediaSink):
    """Keep every message as `(kind, timestamp, payload)`."""

    @property
    def messages(self) -> list[tuple[int, int, bytes]]: ...
    def __new__(cls) -> CollectSink: ...
