from typing_extensions import Buffer

def annexb(data: Buffer, length_size: int) -> bytes | None:
    """Return the units of *data* with 4-byte start codes, None when a length is wrong."""

def scan(data: Buffer, length_size: int, *, hevc: bool = False) -> tuple[int, int, int] | None:
    """Return `(size, count, found)` of an access unit, None when a length is wrong."""
