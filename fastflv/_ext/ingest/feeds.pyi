from typing import Protocol, Self, final

from typing_extensions import Buffer

from fastflv._ext.ingest.chunkread import ChunkReader
from fastflv._ext.ingest.inlet import Inlet
from fastflv._ext.ingest.lowwater import LowWater

class FeedOwner(Protocol):
    """What a feed calls beside its media."""

    def feed_message(self, view: memoryview, at: int) -> None:
        """The reader shows a message that is no media; feed on from *at* of *view*, which is borrowed for this call."""
    def feed_due(self) -> None:
        """`due` bytes were received, the tracks are not known yet, or have changed, or the publisher is on standby."""
    def feed_ended(self) -> None:
        """The peer has closed, or the socket has failed; the feed is paused."""
    def feed_failed(self, error: Exception) -> None:
        """The bytes are wrong (PeerError), or a call of the owner failed; the feed is paused."""

@final
class Feeds:
    """The feeds of one event loop."""

    @property
    def fd(self) -> int: ...
    @property
    def count(self) -> int:
        """Feeds that are read."""
    def __new__(cls, view: Buffer) -> Self: ...
    def turn(self, now_ms: int) -> tuple[int, bool]:
        """Read the feeds that have input; return how many had some, and whether more may be there."""
    def close(self) -> None: ...

@final
class Feed:
    """One socket whose bytes are the chunks of one publish."""

    due: int
    @property
    def reading(self) -> bool: ...
    @property
    def low_water(self) -> LowWater: ...
    @property
    def begun(self) -> bool:
        """It knows its inlet, and is not closed."""
    def __new__(cls, feeds: Feeds, fd: int, reader: ChunkReader, owner: FeedOwner) -> Self: ...
    def begin(self, inlet: Inlet) -> None: ...
    def resume(self) -> None: ...
    def pause(self) -> None: ...
    def close(self) -> None: ...
