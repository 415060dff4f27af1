"""Settings of a vhost for its RTMP clients."""

from __future__ import annotations

from dataclasses import dataclass, field

from fastflv import limits
from fastflv.stream.publication import PublishOptions


@dataclass(frozen=True, slots=True)
class RtmpOptions:
    """Settings of a vhost for its RTMP clients."""

    vhost: str
    "Name of the vhost, part of the stream's key."

    publish: PublishOptions = field(default_factory=PublishOptions)

    on_missing: float = limits.MISSING_STREAM_SECONDS
    "How long a player waits for a publisher, seconds (`play { on_missing }`)."

    chunk_size: int = limits.CHUNK_BYTES_OUT
    "Chunk size announced, bytes."

    in_ack_size: int = 0
    "Bytes after which received data is acknowledged; 0: the window that the peer announces."

    out_ack_size: int = limits.ACK_WINDOW_BYTES
    "Window announced to the peer, bytes."
