"""What a vhost says of its RTMP clients."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv import limits
from fastflv.stream.stream import StreamOptions


@dataclass(frozen=True, slots=True)
class IngestOptions:
    """Settings of a vhost for its RTMP clients."""

    name: str
    "Name of the vhost, part of the stream's key."
    stream: StreamOptions
    chunk_size: int = limits.CHUNK_BYTES_OUT
    "Chunk size announced, bytes."
    in_ack_size: int = 0
    "Bytes after which received data is acknowledged; 0: the window that the peer announces."
    out_ack_size: int = limits.ACK_WINDOW_BYTES
    "Window announced to the peer, bytes."
    first_packet: float = 20.0
    "Time from publish to the first media, seconds."
    silence: float = 5.0
    "Silence after which a publisher is dropped, seconds."
