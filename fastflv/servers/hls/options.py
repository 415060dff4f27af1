"""What a vhost says of HLS."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.config.model.hls import HlsOnError
from fastflv.servers.hls.names import HlsNames


@dataclass(frozen=True, slots=True)
class HlsOptions:
    """Settings of a vhost; times in ms unless said."""

    names: HlsNames

    least_ms: int = 10_000
    "A segment ends at the first keyframe behind this."

    most_ms: int = 21_000
    "And in any case here."

    window_ms: int = 60_000
    "Length of the playlist."

    wait_key: bool = True
    floor_ms: int = 0
    "Segments begin behind multiples of this by the wall clock; 0: wherever they do."

    audio: bool = True
    video: bool = True
    mp4: bool = False
    "Fragmented MP4 even where TS would do."

    folder: str = ""
    "Root of the files; empty: segments are made on demand and kept in memory."

    cleanup: bool = True
    "Files that have left the playlist are removed."

    dispose_seconds: int = 120
    "All files are removed this long after the publisher left; 0: never."

    recover: bool = True
    "An old playlist file is gone on with."

    on_error: HlsOnError = HlsOnError.CONTINUE

    sessions: bool = True
    "Each viewer gets a playlist of its own, and is counted."

    segment_sessions: bool = True
    "Segments are counted for the viewer too."

    master_relative: bool = False
    on_missing: float = 5.0
    "How long a request for an absent stream waits for a publisher, seconds."
