"""HLS playlists, segments and viewers."""

from __future__ import annotations

from typing import Final

HLS_PULL_SECONDS: Final = 0.2
"How often a muxer reads the log, or checks for a track that HLS carries, seconds: segments come at most this much later, and frames in between cost nothing."

HLS_RETRY_SECONDS: Final = 1.0
"A segmenter that failed is restarted after this, seconds: the cause may be over, and if not, one log line a second is enough."

HLS_SEGMENT_MS_MIN: Final = 100
"Shortest segment, ms (as SRS): a shorter remainder at the end of a publish is dropped, and an earlier keyframe ends no segment."

HLS_FIRST_MS: Final = 1000
"While a playlist has fewer than HLS_FIRST_SEGMENTS, a segment ends at the first keyframe after this, ms: the first viewer waits."

HLS_FIRST_MS_MAX: Final = 4000
"The first segment ends after this even without a keyframe, ms: players give up a playlist after 10 s."

HLS_FIRST_SEGMENTS: Final = 3
"Segments that players want in a playlist before they start at their usual distance from its end (RFC 8216, 6.3.3)."

HLS_KEY_WAIT_MS: Final = 4000
"A stream whose keyframe stays away has segments of its sound alone after this, ms. Longer than most GOPs: players prefer a first segment with pictures."

HLS_STEP_MS: Final = 40
"Assumed length of a single frame without neighbours, ms: 25 frames a second."

HLS_GAP_MS: Final = 2000
"When no frame came for this long and for twice the usual step, a discontinuity follows, ms: players skip an unmarked gap only after a stall."

HLS_SEGMENT_BYTES_MAX: Final = 64 * 1024 * 1024
"A segment ends when it has this size, bytes: 10 s at 53 Mbit/s. The clock of a publisher may stand still, and then no time ends it."

HLS_FRAME_BYTES: Final = 200
"Memory of a frame of the open segment beside its bytes: the objects that hold it."

HLS_CLOCK_SLACK_MS: Final = 1000
"EXT-X-PROGRAM-DATE-TIME is counted in media time while it is within this of the wall clock, ms: above what networks delay, and an hour of 0.03 % drift."

HLS_RATE_SLACK: Final = 0.1
"A frame rate that an encoder claims is announced before pictures of a segment are counted if it is as near to those of the stream so far, a share of them."

HLS_TARGET_ROUND_MS: Final = 499
"A segment may exceed the target duration by this, ms: RFC 8216, 4.3.3.1 rounds durations to seconds."

HLS_TARGET_SLACK_MS: Final = 100
"Segments may be expected to exceed the target duration by this, ms: rounding makes 2002 of 2000."

HLS_HOLD_SECONDS: Final = 8.0
"A request for a playlist waits this long for the first segment, seconds: hls.js gives up after 10."

HLS_IDLE_SECONDS: Final = 30.0
"A muxer on demand closes when no viewer asked for this long and for three target durations, seconds: players ask once per target duration."

HLS_TRIM_BYTES: Final = 4 * 1024 * 1024
"After viewers with as much memory were forgotten, free memory goes back to the system, bytes."

HLS_MEMORY_BYTES: Final = 256 * 1024 * 1024
"Segments of one stream in memory, bytes: 60 s at 17 Mbit/s, and as much that left the playlist. Beyond it the oldest are evicted, down to three."

HLS_SERVER_BYTES: Final = 2 * 1024 * 1024 * 1024
"Segments of all streams in memory, bytes: whoever may play can ask for every stream. Beyond it each stream keeps three segments."

HLS_SERVER_WAITING_BYTES: Final = 256 * 1024 * 1024
"Finished segments of all streams that wait to be written, bytes: 512 s of 4 Mbit/s, so that a film pushed at once is whole. With more the disk is slow, and HLS_WAITING_BYTES count for each stream."

HLS_WAITING_BYTES: Final = 4 * 1024 * 1024
"Likewise of one stream while those of all are more, bytes: its log is not read, and the end of a publish is lost beyond twice both. As RECORD_WAITING_BYTES: 60 s at 500 kbit/s."

HLS_PLAYLIST_BYTES_MAX: Final = 1024 * 1024
"Largest playlist that is sent, or resumed after a restart, bytes: 10,000 segments. Queries are repeated in each of its URIs."

HLS_SESSIONS_MAX: Final = 100_000
"Viewers counted at once; further viewers are served but not counted."

HLS_SESSION_BYTES: Final = 1024
"Memory of a counted viewer beside its texts, bytes."

HLS_SESSIONS_TEXT_BYTES: Final = 64 * 1024 * 1024
"Queries and Referers of all counted viewers together, bytes: a request may bring 16 KiB of them, and 640 bytes each are enough for 100,000. Beyond it viewers are served but not counted."

HLS_UNUSED_SECONDS: Final = 10.0
"A viewer that was sent to its playlist and never asks for it is forgotten after this, seconds: players ask at once, and wait up to HLS_HOLD_SECONDS for the answer."

HLS_SWEEP_SECONDS: Final = 5.0
"How often silent viewers are removed, seconds (as SRS)."

HLS_SWEEP_WORK: Final = 4000
"Viewers looked at in one turn of the event loop: 0.5 ms."

HLS_SWEEP_REMOVAL: Final = 160
"What the removal of a viewer counts for: its line in the log and the counters take as long as a look at so many."

HLS_SWEEP_PAUSE_SECONDS: Final = 0.005
"Pause between two steps of a sweep, seconds: others are served meanwhile; 30,000 viewers that leave at once are removed in 6 s."

HLS_WAKE_COUNT: Final = 50
"Viewers that wait for a first segment and are answered in one turn of the event loop: 5 ms."

HLS_WAKE_SECONDS: Final = 0.005
"Pause before the next ones are answered, seconds: 5,000 have their answer within 1 s."

HLS_WINDOW_SEGMENTS_MAX: Final = 2000
"Segments in a playlist with `?window=`, count: an hour of 2 s each, and 4 ms to write its text, which all viewers of one window share. Older ones are left out."

HLS_WINDOW_TEXTS: Final = 8
"Texts of such playlists that are kept for a stream, count: one for each window that is asked for, some 200 KB of an hour."

HLS_WINDOW_STEPS: Final = 4000
"Keyframes of the past that are looked at in one turn of the event loop: 4 ms. A playlist over more waits for the next turns."
