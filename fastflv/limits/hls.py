"""HLS playlists, segments and viewers."""

from __future__ import annotations

from typing import Final

HLS_PULL_SECONDS: Final = 0.2
"How often a segmenter takes what is new, or looks for a track that it can carry, seconds: it makes segments this much later at most, and costs nothing per frame in between."

HLS_RETRY_SECONDS: Final = 1.0
"A segmenter that failed is begun again after this, seconds: what broke it may be over, and if not, one line a second is enough."

HLS_SEGMENT_MS_MIN: Final = 100
"Shortest segment, ms (as SRS): a shorter rest at the end of a publish is left out, and a keyframe that comes sooner ends none."

HLS_FIRST_MS: Final = 1000
"While a stream has fewer than HLS_FIRST_SEGMENTS, a segment made on demand ends at the first keyframe behind this, ms: the first viewer waits."

HLS_FIRST_MS_MAX: Final = 4000
"And the first one ends behind this without a keyframe, ms: players give up a playlist after 10 s."

HLS_FIRST_SEGMENTS: Final = 3
"Segments that players want in a playlist before they start at their usual distance from its end (RFC 8216, 6.3.3)."

HLS_STEP_MS: Final = 40
"Length of a frame that no other follows, where none came before it either, ms: one of 25 a second."

HLS_GAP_MS: Final = 2000
"When no frame came for this long and for twice the usual time, what follows is marked as a discontinuity, ms: players skip a hole only after they have stalled at it."

HLS_TARGET_SLACK_MS: Final = 100
"A segment may be longer than the target duration by this, ms: rounding makes 2002 of 2000. RFC 8216 allows 499."

HLS_HOLD_SECONDS: Final = 8.0
"A request for a playlist waits this long for the first segment, seconds: hls.js gives up after 10."

HLS_IDLE_SECONDS: Final = 30.0
"Segments made on demand are let go when nobody asked for the playlist for this long and for three target durations, seconds: players ask once per target duration."

HLS_SHELF_BYTES: Final = 256 * 1024 * 1024
"Segments of one stream kept in memory, bytes: 60 s at 17 Mbit/s, and as much that has left the playlist. Beyond it the oldest go, but three stay."

HLS_CACHE_BYTES: Final = 64 * 1024 * 1024
"Segments read from disk kept for those who ask next, bytes for the whole server: viewers of a stream ask for the same one within seconds."

HLS_BACKLOG: Final = 4
"Finished segments of a stream that wait to be written, count: a disk that is further behind will not catch up, and memory must not pay for it."

HLS_THREADS: Final = 2
"Threads that write and read HLS files: one may wait for the disk while the other works."

HLS_PLAYLIST_BYTES_MAX: Final = 1024 * 1024
"Largest playlist file taken up again after a restart, bytes: 10,000 segments."

HLS_SESSIONS_MAX: Final = 100_000
"Viewers counted at once, about 1 KiB each; those beyond are served and not counted."

HLS_SWEEP_SECONDS: Final = 5.0
"How often viewers who no longer ask are looked for, seconds (as SRS)."
