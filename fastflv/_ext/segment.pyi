from typing import Self, final

from typing_extensions import Buffer

@final
class MediaBlock:
    """Immutable bytes that any number of players are sent by reference."""

    def __new__(cls, data: Buffer) -> Self: ...
    def __len__(self) -> int: ...
    def __bytes__(self) -> bytes: ...
