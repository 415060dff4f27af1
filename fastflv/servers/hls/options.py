"""HLS settings of a vhost."""

from __future__ import annotations

from dataclasses import dataclass

from fastflv.config.model.hls import HlsOnError
from fastflv.servers.hls.names import HlsNames


@dataclass(frozen=True, slots=True)
class HlsOptions:
    """HLS settings of a vhost; times in ms unless noted."""

    names: HlsNames

    least_ms: int = 10_000
    "A segment ends at the first keyframe after this."

    most_ms: int = 21_000
    "Longest segment; it ends here even without a keyframe."

    playlist_ms: int = 60_000
    "Length of the playlist."

    wait_key: bool = True
    "Segments begin at keyframes."

    floor_ms: int = 0
    "Segments begin after multiples of this by the wall clock; 0: anywhere."

    audio: bool = True
    video: bool = True
    mp4: bool = False
    "Fragmented MP4 also for codecs that TS carries."

    folder: str = ""
    "Root directory of the files; empty: segments are made on demand, in memory."

    key_folder: str = ""
    "Root directory of keys that another server has; empty: keys are kept with the segments."

    fragments_per_key: int = 5
    "Segments that share a key."

    cleanup: bool = True
    "Delete files that no playlist lists any more."

    dispose_seconds: int = 120
    "Delete all files this long after the publisher left; 0: never."

    recover: bool = True
    "Resume an existing playlist after a restart."

    on_error: HlsOnError = HlsOnError.CONTINUE

    sessions: bool = True
    "Each viewer gets a playlist of its own and is counted."

    segment_sessions: bool = True
    "The bytes of segments are counted for the viewer too."

    forward_query: bool = False
    "URIs in a playlist have the whole query of its request."

    master_relative: bool = False
    "The master playlist refers to the media playlist by a relative URI."

    on_missing: float = 5.0
    "How long a request for an absent stream waits for a publisher, seconds (`play { on_missing }`)."
