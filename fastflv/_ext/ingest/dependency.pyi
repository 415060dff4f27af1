from collections.abc import Iterable
from typing import TypeAlias

Buffer: TypeAlias = bytes | bytearray | memoryview

def disposable(codec: int, record: Buffer, units: Iterable[Buffer]) -> list[bool]:
    """Return for each of *units* (data of tags in decoding order) whether it is disposable."""
