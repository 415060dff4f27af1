"""The life of a stream and its tracks."""

from __future__ import annotations

from typing import Final

GATE_AUDIO_MS: Final = 1200
"A publisher that returns to a stream that had video is taken as audio only after this long without any, ms. Cameras at 1 frame a second exist."

HEADERS_BYTES_MAX: Final = 64 * 1024
"Sequence headers and notes that a stream remembers, bytes, one as all together: they are copied for each read with a keyframe, and for each keyframe behind a change, 25,000 of which fit into one read. Real ones have some 50 to 500; what is larger passes as any tag, and nobody parses it."

KEY_HEADERS_MAX: Final = 4
"Copies of a stream's headers that one read makes for keyframes behind which they change, count: a camera changes them once in minutes. Beyond it a keyframe is given the headers that came after it."

TRACK_CHANGES_MAX: Final = 4
"Changes of the tracks that are announced at once within TRACK_CHANGES_SPAN_MS, count: metadata is encoded anew for each, 0.1 ms. Beyond it the last one is announced when the span is over."

TRACK_CHANGES_SPAN_MS: Final = 1000
"See TRACK_CHANGES_MAX, ms by the clock."

MISSING_STREAM_SECONDS: Final = 5.0
"Default `on_missing`: how long a player waits for a publisher that is not there yet, seconds. An encoder restarts in two to four; players give up at ten."

FAILOVER_MS: Final = 1000
"Default `failover`: silence of a publisher after which the one on standby is played, ms. Encoders pause for 300 ms at most when they change their output."

FAILOVER_MS_MIN: Final = 200
"Least `failover`, ms: pictures come 200 ms apart at 5 a second."

FAILBACK_SECONDS: Final = 3.0
"How long a primary publisher sends without a pause before it is played again, seconds: one on a bad line comes and goes."

PUBLISH_GRACE_SECONDS: Final = 5.0
"Default `grace`: how long players stay when the publisher leaves, seconds. As long as one encoder restart."

GRACES_PER_CONNECTION: Final = 8
"Streams without players that one connection may leave in their grace period, count: as many as it may publish at once (PUBLISHES_MAX). Beyond it the oldest ends."

GRACES_MAX: Final = 1000
"Likewise of all connections, count: some 15 KB each. Streams that somebody plays are not counted."

PUBLISH_LIFE_BYTES: Final = 256
"Media bytes with which a publisher shows that it lives, within `normal_timeout`: one or two frames of sound. Or PUBLISH_LIFE_MESSAGES, or any picture: without motion it has 28 bytes, and some cameras send one a second."

PUBLISH_LIFE_MESSAGES: Final = 4
"Media messages likewise, count: Opus sends 12 of one byte each in 5 s of silence. A peer that holds a name with a byte a second sends two."

SETTLE_MS: Final = 400
"Players of a fresh stream wait this long for its second kind of track, unless the metadata names the tracks, ms. Encoders send both sequence headers at once; raw G.711 shows up within 100 ms."

SETTLE_NAMED_MS: Final = 2000
"Likewise when the metadata or a sequence header names a track that has not shown up, ms: a camera that opens slowly, or sends 1 frame a second, is worth waiting for, since players cannot add a track later."

TRACK_LOST_MS: Final = 10_000
"A track that shows nothing while the other one goes on for this long counts as gone, ms: metadata, FLV flags and the PMT leave it out until it is back. Cameras at 1 frame in 5 s exist, and encoders that send no silence."

TRACKS_REMEMBERED: Final = 10_000
"Streams whose tracks are remembered after their end, names: the newest, some 300 bytes each."

UNITS_HELD_BYTES_MAX: Final = 64 * 1024
"SEI and parameter sets sent in tags of their own that wait for their picture, bytes. Cameras send 50 to 2,000."

ADTS_FRAMES_MAX: Final = 512
"ADTS frames that are taken out of one tag, count: 11 s at 48 kHz, and 0.2 ms of the event loop. Encoders put in 1 to 10."

INTERLEAVE_MS: Final = 500
"`mix_correct`: sound or pictures that are ahead of the other kind by this or less wait for it, ms. SRS waits for ten messages: 400 ms of pictures, 230 ms of sound."

INTERLEAVE_MESSAGES_MAX: Final = 256
"Messages of one stream that wait, count: Opus in frames of 2.5 ms has 200 in INTERLEAVE_MS."

INTERLEAVE_BYTES_MAX: Final = 8 * 1024 * 1024
"Bytes of them: INTERLEAVE_MS at 100 Mbit/s, or one keyframe of any size in use."

AGGREGATE_PARTS_MAX: Final = 4096
"Messages that are taken out of one RTMP aggregate, count: a minute of pictures and sound, and 1 to 2 ms of the event loop. FMLE gathers a few."

KEY_WAIT_MS: Final = 15_000
"Players wait for a keyframe this long, ms; then they are sent pictures from the next one on that others refer to. Cameras send one in 12 s; after it any picture is better than none."

KEY_GAP_MS_MAX: Final = 60_000
"Where the interval between keyframes is known, they wait for as much longer, ms, up to this: cameras that save bandwidth send a keyframe in 20 to 60 s."

LIVE_CLOCK_STEP_MS: Final = 1000
"Clock tags of a stream without video stand this far apart, ms; with video there is one before each keyframe."

DELAY_BOUNDS_MS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"Upper bounds of the delays counted for `/metrics`, ms: from what one keyframe costs to a viewer who gives up."

LIVE_CLOCK_HOPS_MAX: Final = 255
"Servers that a clock tag counts, at most: more is a stream that runs in a circle."

OUTLETS_MAX: Final = 32
"Logs of one stream before those that nobody reads are looked for, besides when a player leaves: containers times choices, each at least one segment."

OUTLET_KEEP_SECONDS: Final = 5.0
"A log of another container stays this long after its last reader, seconds: players that come and go would have a GOP of 15 MB written anew each time, 5 to 30 ms of everybody's time."

CHOICES_MAX: Final = 16
"Logs that one stream may have for choices of players (`?only=`, `?hevc=`, an RTMP message stream above 1), count: each costs the GOP again, and each frame is written once more. All choices of one container, with their FLV; containers as such are not counted."

CHOICE_BYTES_MAX: Final = 64 * 1024 * 1024
"Bytes of these logs beyond which no further one is made: four of the largest GOPs, twelve of 10 s at 4 Mbit/s."

NO_ROOM_SECONDS: Final = 10.0
"A player whose choice has no room is told to come back after this, seconds."

MISSING_SECONDS_MIN: Final = 1.0
"A stream that is there but whose tracks are not known yet is waited for this long even with on_missing 0, seconds."

TIMESHIFT_BYTES: Final = 512 * 1024 * 1024
"Default of `timeshift { max_bytes }`, bytes: 17 minutes at 4 Mbit/s."

TIMESHIFT_PLACE_MS: Final = 1000
"A stream without video can be rewound to places this far apart, ms; with video to each keyframe."

REWIND_TICK_MS: Final = 40
"How often what rewound players read grows, ms: one picture at 25 a second. All of a server share the timer."

REWIND_BURST_MS: Final = 1000
"Media that a rewound player is sent at once, ms: as much as most players keep before they show a picture."

REWIND_LEAD_MS: Final = 500
"Time that the first picture of a rewound player has, ms: sound behind it may be older."

REWIND_WAITS_MAX: Final = 50
"Ticks that a rewound player waits for a page that the disk has not read yet, count: 2 s; then everybody waits for it."

RESUME_PAST_MS: Final = 1000
"""Media that a live stream keeps even where its GOP is younger, ms, at servers that edges visit: an edge that comes from another
origin goes on behind what its viewers have. It finds out after STALL_SECONDS_MIN or three gaps, and connects. At a GOP of 2 s it
is a third more memory."""

TIMESHIFT_SPOOL_SECONDS: Final = 1.0
"How often pages of the past are moved to files, seconds."

TIMESHIFT_SPOOL_BYTES: Final = 8 * 1024 * 1024
"Pages of one stream that are moved at once, bytes, at most: 64 Mbit/s."

TIMESHIFT_FILE_BYTES: Final = 64 * 1024 * 1024
"Size of a file with pages of the past, bytes: its space is freed with its last page."

TIMESHIFT_MEMORY_BYTES: Final = 64 * 1024 * 1024
"Bound of the past of one stream whose files cannot be written, bytes of memory."

REWINDS_MAX: Final = 500
"Rewound players of a server, count: each costs 3 to 5 us of the event loop for each tick, and a copy of its tags."

REWIND_BYTES_MAX: Final = 512 * 1024 * 1024
"Bytes of the logs of all rewound players, beyond which no further one starts: each keeps a GOP and what a slow player may lag behind it, 2 to 3 MB at 4 Mbit/s."

CHASE_RATE_MAX: Final = 1.5
"Highest `?chase=`: 1 s of the stream is played in two thirds of it. Players change the pitch of sound, or drop some, well below."

ENDED_CLIENTS_MAX: Final = 1000
"Clients that are remembered after their end, count: what an operator looks at when somebody calls, the last minutes of a busy server."

ENDED_CLIENTS_BYTES_MAX: Final = 1024 * 1024
"Likewise bytes: 1 KiB each. A tcUrl has up to 13 KiB."

ENDED_CLIENT_BYTES: Final = 400
"What one costs besides its texts, bytes."
