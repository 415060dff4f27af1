"""Where a reader begins that does not begin with the newest GOP."""

from __future__ import annotations

from typing import NamedTuple


class Place(NamedTuple):
    """A frame in the log of a stream that a reader may begin with, though newer keyframes have come."""

    position: int
    kind: int
    dts_ms: int
    headers: bytes
    "Metadata and sequence headers that count there, and those of now for tracks that come later, as FLV tags."
