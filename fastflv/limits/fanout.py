"""Sending to players: starts, merge windows, lag."""

from __future__ import annotations

from typing import Final

START_SPAN_MS: Final = 120
"Time that the GOP of a compact start takes, ms, or 1 ms for each picture where that is longer: three frames at 25 a second, which a player decodes at once."

COMPACT_BYTES_MAX: Final = 8 * 1024 * 1024
"Largest GOP that is written anew for a compact start, bytes: 6 ms of everybody's time. A larger one is sent at its own pace, as it lies in the log."

COMPACT_TS_BYTES_MAX: Final = 4 * 1024 * 1024
"Likewise for TS, which is muxed besides, bytes: 6 to 10 ms."

COMPACT_BYTES_PER_SECOND: Final = 20 * 1024 * 1024
"Compact starts of one log are made at this rate at most, bytes a second: a tenth of the loop's time at worst. One of 2 MB serves all who join within 100 ms; the frames since follow it at once."

START_BYTES_HELD: Final = 32 * 1024 * 1024
"Compact starts of one stream and container that players have not taken yet, bytes: there is one for each frame in which somebody joins. Beyond it, who joins gets the last one or a start at the GOP's own pace, which cost nothing. 16 different ones at 4 Mbit/s and a GOP of 4 s."

START_KEEP_SECONDS: Final = 1.0
"Time after which compact starts are looked for that all who joined have taken, seconds: a GOP for each stream that was ever joined, 64 KB at 510 kbit/s."

SEND_BYTES_MAX: Final = 512 * 1024
"Bytes of one sendmsg, at most: a joining player's GOP goes out in a few calls and does not hold the others up for long. Half as many bytes cost a quarter more at 20 Mbit/s, twice as many the same."

FRAME_BYTES_MAX: Final = 64 * 1024
"Bytes of one chunk or WebSocket message, at most, unless one tag is longer. What was announced must be filled before a late player may jump or anything else may be said, and a browser sees a message only when it is whole. 350 ms of 1.5 Mbit/s."

NOTSENT_MS: Final = 500
"TCP_NOTSENT_LOWAT of players, ms of the stream's own rate: what lies unsent in the kernel cannot be left out any more. Above the longest merge window."

NOTSENT_BYTES: Final = 128 * 1024
"At most, bytes, and where the rate is not known: 50 ms of 20 Mbit/s, enough for the kernel to go on while a thread wakes."

NOTSENT_BYTES_MIN: Final = 16 * 1024
"At least, bytes: below, each keyframe would be sent in several goes."

RATE_SPAN_MS: Final = 1000
"Media that a rate is told of, ms, at least; and how often players of the event loop are paced anew."

PACE_STEP_PERCENT: Final = 25
"Change of the stream's rate at which paced players are told again, percent."

PACE_PERCENT_MIN: Final = 110
"Lowest `pacing`, percent of the stream's rate: what is sent no faster than it comes never catches up."

LOOP_SEND_BYTES_MAX: Final = 64 * 1024
"Bytes of one write to a player that the event loop serves (TLS), at most: four full records. What is handed over can be skipped no more, so a slow player holds two of these; and the buffers of a connection grow to its longest write and stay: writes of a whole GOP made 160 KB a player."

FLUSH_MS: Final = 50
"With mw_latency 0 audio rides with the next video frame; when none comes for this long it goes out by itself, ms. Above one frame interval of 25 fps (40)."

FLUSH_AUDIO_MS: Final = 30
"Likewise on a stream without video, ms."

AUTO_WINDOWS_MS: Final = (0, 90, 180, 350)
"Merge windows that `mw_latency auto` chooses from, ms: a send per picture; half of that at 25 a second, and still below 0.1 s; half again; SRS's default, beyond which a viewer would notice."

AUTO_FRAME_MS: Final = 40
"Time between two sends without a window, as far as it is guessed before going back to none, ms: 25 pictures a second."

AUTO_LOOK_MS: Final = 500
"How often the load is looked at, ms: twelve pictures."

AUTO_BUSY_PERCENT: Final = 75
"A thread that is busier than this takes the next longer window, percent of the time: what is left is for ingest, joins and bursts."

AUTO_FULL_PERCENT: Final = 95
"A thread that is busier than this takes the longest window at once, percent: it is behind already, and each step that it waits for makes it later. With steps, 3,000 players that came in 3 s cost 1.36 x what they cost at 350 ms, for seconds after."

AUTO_LATE_LOOKS: Final = 6
"A thread that has no sleep in so many looks in a row, 3 s, for others have its core, takes the next longer window: that halves its work. Crowds that join at 2,000 a second are in before."

AUTO_FREE_PERCENT: Final = 50
"It goes back to the shorter one when that would have kept it less busy than this, percent: far enough below the other that it does not swing."

AUTO_CALM_LOOKS: Final = 6
"And only after this many looks in a row, 3 s."

SLOT_MS: Final = 10
"Players of one stream are spread over the merge window in steps of at least this, ms."

SLOTS_MAX: Final = 4
"And in at most this many steps. Each step wakes the thread, and on the other side whoever reads: 2,000 players at 100 ms cost 1.23 x the bare send loop with 8 steps and 1.11 x with 3; no player sees the difference."

PLAYER_SETTLE_MS: Final = 1000
"Time from a player's first byte on in which it is served behind the others, ms: its start lies before what is sent now. With 2,000 joins a second, 1,000 players had a delay of 18 ms (p99) instead of 30."

SERVE_COUNT: Final = 128
"Players of one log that a thread serves in one turn, count: 10 us each. The others wait for the next turns, behind the players of other logs; a turn costs 2 us."

LEAVE_COUNT: Final = 64
"Players that a thread closes in one turn, count: 15 us each. The others it has to close wait for the next turns, behind those that are sent something."

LEAVE_WAIT_MS: Final = 30
"Time that they wait at most while the thread has others to send something, ms: less than a picture at 25 a second. Their ends have the event loop work, on the same core where there is but one: with 2,000 a second beside 2,000 players, the delay of who plays was 76 ms (p99) with it and 112 without."

LEAVE_ROOM: Final = 256
"Players that may wait so, count: with more, LEAVE_COUNT of them go in each turn, so that a thread that is always busy keeps up with those who leave it."

LEAVE_MS: Final = 1
"Pause before the next of them, ms: half of the core is left to others, the event loop among them. 8,000 are closed in 0.2 s by two threads."

LAG_DROP_MS: Final = 1000
"A player that lags more is sent no pictures that no other refers to, ms: beyond what one keyframe on a slow link takes, well before a viewer minds."

LAG_JUMP_MS: Final = 5000
"A player that lags more goes on at the newest keyframe, ms: live is worth more than the seconds between, and players keep up to three seconds themselves. SRS lets it lag for 30 s (`queue_length`)."

LAG_CLOSE_MS: Final = 30_000
"A player whose peer lacks media that is older than this is closed, ms: what the kernel holds for it goes out too slowly for any jump to help. It bounds how long a player can pin a segment."

STALL_SECONDS: Final = 30
"A player whose socket takes no byte for this long is closed, seconds (as the send timeout of SRS)."

BLOCKED_CHECK_MS: Final = 500
"How often a thread looks whether full sockets are stalled, ms; only while there are any."

DRAIN_SECONDS: Final = 5
"Time that a full socket gets to take the rest when its stream has ended, seconds."

THREADS_MAX: Final = 256
"Sender threads, at most: `fanout_threads`, or the cores of the machine. Threads beyond the cores only add switches."
