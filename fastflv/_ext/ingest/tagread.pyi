from typing import Self, final

from typing_extensions import Buffer

from fastflv._ext.ingest.sink import MediaSink

@final
class TagReader:
    """Split FLV, in any pieces, into tags."""

    sink: MediaSink | None
    @property
    def inside(self) -> bool:
        """Whether the bytes so far end within a message."""
    @property
    def message(self) -> tuple[int, int, bytes] | None:
        """(kind, timestamp ms, body) of the script tag that the last feed stopped behind."""
    @property
    def has_header(self) -> bool: ...
    @property
    def received(self) -> int: ...
    @property
    def dropped(self) -> int: ...
    def __new__(cls, max_tag: int = ...) -> Self: ...
    def feed(self, block: Buffer, start: int = 0) -> int:
        """Take bytes of *block* from *start*; return the offset of the first byte not used."""
