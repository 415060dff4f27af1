from typing_extensions import Buffer

def annexb(data: Buffer, length_size: int) -> bytes | None:
    """Return the whole units of *data* with 4-byte start codes, None without one."""

def scan(data: Buffer, length_size: int, *, hevc: bool = False) -> tuple[int, int, int] | None:
    """Return `(size, count, found)` of the whole units of an access unit, None without one."""
