from typing import Self, final

from typing_extensions import Buffer

from fastflv._ext.ingest.sink import MediaSink

@final
class ChunkReader:
    """Put RTMP chunks together to messages."""

    @property
    def inside(self) -> bool:
        """Whether the bytes so far end within a message."""
    @property
    def message(self) -> tuple[int, int, int, int, bytes] | None:
        """(kind, timestamp ms, message stream id, chunk stream id, payload) of the last feed."""
    @property
    def chunk_size(self) -> int: ...
    @property
    def received(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    @property
    def ignored(self) -> int: ...
    def __new__(
        cls, max_message: int = ..., max_streams: int = ..., max_partial: int = ..., max_commands: int = ...
    ) -> Self: ...
    def set_sink(self, stream_id: int, sink: MediaSink | None) -> None: ...
    def show(self, stream_id: int) -> None: ...
    def deliver(self, kind: int, timestamp: int, stream_id: int, body: Buffer) -> None: ...
    def feed(self, block: Buffer, start: int = 0) -> int:
        """Take bytes of *block* from *start*; return the offset of the first byte not used."""
