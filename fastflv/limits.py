"""Every tuned number of fastflv, with its unit and its reason. Code elsewhere names these; it never repeats them."""

from __future__ import annotations

from typing import Final

# --- RTMP ingest -----------------------------------------------------------------------------

RECEIVE_BYTES: Final = 256 * 1024
"Bytes of the one receive buffer that all RTMP connections of a loop share. A read never waits in it: it is used up before the next read begins. 256 KiB takes a whole 4K keyframe in a few reads."

CHUNK_BYTES_OUT: Final = 60_000
"Default chunk size announced to clients, bytes (SRS announces the same; ffmpeg mirrors it, so one frame is mostly one chunk)."

CHUNK_BYTES_IN_MAX: Final = 0xFFFFFF
"Largest chunk size taken from a peer, bytes: a message is never longer (RTMP 1.0, 5.4.1)."

MESSAGE_BYTES_MAX: Final = 8 * 1024 * 1024
"Largest RTMP message taken, bytes. An 8K intra frame at 200 Mbit/s and 25 fps is 1 MB; eight times that is hostile."

CHUNK_STREAMS_MAX: Final = 64
"Chunk streams kept per connection. Encoders use 3 to 8; each costs 64 bytes."

PARTIAL_BYTES_MAX: Final = 16 * 1024 * 1024
"Bytes of half-received messages per connection, over all chunk streams: two of the largest messages."

ACK_WINDOW_BYTES: Final = 2_500_000
"Window Acknowledgement Size and peer bandwidth announced at connect, bytes (as SRS)."

CHUNK_BODY_FIRST_BYTES: Final = 4096
"First allocation for a message that spans chunks, bytes; it doubles from there, so memory follows what arrived."

CHUNK_BODY_KEEP_BYTES: Final = 64 * 1024
"A chunk stream keeps a body buffer up to this size for its next message, bytes: most frames fit, a large keyframe is given back."

EXTENDED_STEP_MS: Final = 600_000
"An extended timestamp of a type 1 or 2 header that lies less than this ahead of the clock is read as absolute, ms."

COMMAND_BYTES_MAX: Final = 64 * 1024
"Largest command or data message that is parsed, bytes. onMetaData with a keyframe table of a long file stays below it."

TALK_SECONDS: Final = 5.0
"Span in which the two bounds below hold for an RTMP connection, seconds: what a link held back for as long may come at once."

TALK_MESSAGES_MAX: Final = 2000
"Messages besides media, count: some 15 us of Python each, so 30 ms of everybody's time. Encoders send tens in all; captions of each picture and times of each frame are 100 a second."

TALK_BYTES_MAX: Final = 512 * 1024
"Bytes of such messages: eight of the longest. A command full of nulls takes 0.8 us a byte, so 0.4 s."

AMF_DEPTH_MAX: Final = 16
"Deepest nesting of AMF objects. Real metadata nests 3 deep."

AMF_VALUES_MAX: Final = 4096
"AMF values parsed per message; beyond it the message is refused."

HANDSHAKE_SECONDS: Final = 10.0
"Time for a whole RTMP handshake and connect command before a half-open connection is closed, seconds."

NAME_CHARS_MAX: Final = 1024
"Longest app, stream name or parameter string kept, characters."

TC_URL_CHARS_MAX: Final = 4 * NAME_CHARS_MAX
"Longest tcUrl, characters: a host, an app, a stream name and parameters of the greatest length each. It is read again at each publish and play."

CONNECTIONS_RESERVED: Final = 128
"Descriptors kept free under the open-file limit for listeners, logs and files (as SRS)."

# --- time ------------------------------------------------------------------------------------

TIME_BACK_STEP_MS: Final = 250
"A step back within a track up to this is jitter: the tag is held. Beyond it the publisher's clock restarted, ms (SRS uses the same bound)."

TIME_AHEAD_STEP_MS: Final = 10_000
"A step ahead up to this is a gap that players are shown. Beyond it, and unless the wall clock waited as long, it is a clock jump, ms. Cameras at 1 frame in 5 s exist."

TIME_TRACK_SPREAD_MS: Final = 10_000
"Audio and video further apart than this do not belong to one clock, ms."

TIME_FIRST_STEP_MS: Final = 10
"Step assumed after a jump on a track that has shown none, ms (as SRS)."

# --- media log -------------------------------------------------------------------------------

SEGMENT_BYTES_MIN: Final = 64 * 1024
"Smallest segment, bytes: one second of 500 kbit/s. What a stream without players keeps is its GOP rounded up to segments."

SEGMENT_BYTES_MAX: Final = 1024 * 1024
"Largest segment, bytes (a larger tag gets one of its own). At 20 Mbit/s it lasts 400 ms."

SEGMENT_SPAN_MS: Final = 500
"Segments that fill faster than this double, ms; four times slower, they halve. Readers look at the list once per segment."

TAG_BYTES_TYPICAL: Final = 128
"The tag index of a segment has room for one tag in this many bytes. Audio tags are 100 to 400 bytes; a fuller index only ends the segment early."

WINDOW_MS: Final = 30_000
"History kept for readers that lag, ms, where no stream says otherwise."

WINDOW_BYTES: Final = 32 * 1024 * 1024
"Bound of that history in bytes, whatever the bitrate."

GOP_BYTES_MAX: Final = 16 * 1024 * 1024
"A GOP above this is not offered to new players, bytes: 10 s at 13 Mbit/s. They wait for the next keyframe."

GOP_FRAMES_MAX: Final = 2500
"Likewise in video frames (SRS gop_cache_max_frames)."

# --- media ---

PROXY_PREFIX_BYTES_MAX: Final = 512
"Longest address block that a proxy may put before the handshake (byte 0xF3), bytes. Proxies write 4."

HELD_BYTES_MAX: Final = 1024 * 1024
"Input kept while a connect, publish or play waits for its answer, bytes: four receive buffers. Reading should be paused meanwhile."

GATE_AUDIO_MS: Final = 500
"A publisher that returns to a stream that had video is taken as audio only after this long without any, ms."

HEADERS_BYTES_MAX: Final = 64 * 1024
"Sequence headers and notes that a stream remembers, bytes, one as all together: they are copied for each read with a keyframe, and for each keyframe behind a change, 25,000 of which fit into one read. Real ones have some 50 to 500; what is larger passes as any tag, and nobody parses it."

# --- fan-out ---------------------------------------------------------------------------------

START_SPAN_MS: Final = 120
"Time that a compact start squeezes the GOP into, ms, or a millisecond a picture where that is longer: three frames at 25 a second, which a player decodes at once and shows in no time."

START_BYTES_HELD: Final = 32 * 1024 * 1024
"Compact starts of one stream and container that players have not taken yet, bytes: there is one for each frame in which somebody joins. Beyond it, who joins gets the last one or a start at the GOP's own pace, which cost nothing. 16 different ones at 4 Mbit/s and a GOP of 4 s."

BLOCK_MAPPED_BYTES: Final = 32 * 1024
"A block from this size on has pages of its own, bytes, that go back to the system with it: starts come and go while players join, and in the heap each would leave a hole that the players' own small things keep open. 2,000 joins in 2 s left 6 MB so."

SEND_BYTES_MAX: Final = 512 * 1024
"Bytes of one sendmsg, at most: a joining player's GOP goes out in a few calls and does not hold the others up for long."

FRAME_BYTES_MAX: Final = 64 * 1024
"Bytes of one chunk or WebSocket message, at most, unless one tag is longer. What was announced must be filled before a late player may jump or anything else may be said, and a browser sees a message only when it is whole. 350 ms of 1.5 Mbit/s."

NOTSENT_MS: Final = 500
"TCP_NOTSENT_LOWAT of players, ms of the stream's own rate: what lies unsent in the kernel cannot be left out any more. Above the longest merge window."

NOTSENT_BYTES: Final = 128 * 1024
"At most, bytes, and where the rate is not known: 50 ms of 20 Mbit/s, enough for the kernel to go on while a thread wakes."

NOTSENT_BYTES_MIN: Final = 16 * 1024
"At least, bytes: below, each keyframe would be sent in several goes."

RATE_SPAN_MS: Final = 1000
"Media that a rate is told of, ms, at least; and how often it is looked at again while players are paced."

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

AUTO_FREE_PERCENT: Final = 50
"It goes back to the shorter one when that would have kept it less busy than this, percent: far enough below the other that it does not swing."

AUTO_CALM_LOOKS: Final = 6
"And only after this many looks in a row, 3 s."

SLOT_MS: Final = 10
"Players of one stream are spread over the merge window in steps of at least this, ms."

SLOTS_MAX: Final = 4
"And in at most this many steps. Each step wakes the thread, and on the other side whoever reads: 2,000 players at 100 ms cost 1.23 x the bare send loop with 8 steps and 1.11 x with 3; no player sees the difference."

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

# --- MPEG-TS ---------------------------------------------------------------------------------

TS_BASE_MS: Final = 1000
"Time in TS of what has time 0 in the stream, ms: room for the lead of the PCR and for a negative composition offset. FFmpeg starts at 1400."

TS_PCR_LEAD_MS: Final = 200
"The PCR is this much before the decode time of what it comes with, ms: gathered audio (70) and encoders that interleave unevenly stay within it. GStreamer leads by 125, FFmpeg by 700; VLC shows the picture later by it."

TS_PCR_MS: Final = 100
"A PCR stands at least this often, ms (ISO 13818-1, 2.7.2)."

TS_PCR_EARLY_MS: Final = 80
"Audio brings a PCR packet of its own when the last PCR is older than this, ms: above one frame of 15 pictures a second, below the bound by one gathered PES of small frames."

TS_PCR_FILL_MAX: Final = 50
"A longer silence than this many PCR intervals is a new start of the clock, not filled with PCR packets: 5 s, 14 KB with the tables. Cameras at 1 frame in 5 s exist; a publisher that invents silences must not get much for little."

TS_RESTART_MS: Final = 1000
"A step back of the clock by more than this is a new start (time_jitter off), ms; by less, it is uneven interleaving."

TS_SHIFT_MS: Final = 150
"Pictures with a negative composition offset are decoded earlier by up to this, ms: three frames of 20 a second. Below the PCR's lead."

TS_TABLES_MS: Final = 400
"PAT and PMT stand before each keyframe, and before the first entry that is this much behind the last ones, ms: entries are at most 100 ms apart, so twice a second."

TS_AUDIO_MS: Final = 70
"Audio frames gathered for one PES, ms, unless a picture comes: three AAC frames of 44.1 kHz. A PES of its own for each would be one third stuffing at 64 kbit/s."

TS_TRACK_LOST_MS: Final = 1000
"A track that was announced by a header, or by the publisher before, and shows no frame for this long leaves the PMT, ms."

TS_SETS_BYTES_MAX: Final = 8 * 1024
"Parameter sets of a video track, bytes: they are written before each keyframe that has none, however small that is. Real ones have 50 to 1,000; a track with more is not carried."

TS_FILE_STEP_BYTES: Final = 256 * 1024
"A whole file is muxed in steps of this many bytes: its log stays in the cache and its memory is used again."

# --- configuration ---

CONFIG_FILE_BYTES_MAX: Final = 4 * 1024 * 1024
"Largest configuration file read, bytes. The longest sample of SRS, all comments, is 90 KB; a bigger one is a wrong path."

CONFIG_DEPTH_MAX: Final = 32
"Deepest nesting of blocks in a configuration. SRS's own schema ends at 5 (vhost, transcode, engine, vparams and one more)."

INCLUDE_FILES_MAX: Final = 1024
"Files one configuration may include, counted each time: one vhost per file on a large host, and an end to files that include each other twice."

INCLUDE_DEPTH_MAX: Final = 16
"Deepest chain of includes. Nobody nests more than three."

CHUNK_BYTES_ADVISED: Final = (128, 65536)
"Chunk sizes that pass without a warning, bytes (as SRS): below, headers cost more than media; above, some clients fail."

MW_MSGS_MAX: Final = 128
"Largest `mw_msgs`; a larger one is brought down to it with a notice (as SRS)."

MISSING_STREAM_SECONDS: Final = 5.0
"Default `on_missing`: how long a player waits for a publisher that is not there yet, seconds. An encoder restarts in two to four; players give up at ten."

PUBLISH_GRACE_SECONDS: Final = 5.0
"Default `grace`: how long players stay when the publisher leaves, seconds. As long as one encoder restart."

# --- streams ---------------------------------------------------------------------------------

SETTLE_MS: Final = 400
"Players of a fresh stream wait this long for its second kind of track, unless the metadata names the tracks, ms. Encoders send both sequence headers at once; raw G.711 shows up within 100 ms."

SETTLE_NAMED_MS: Final = 2000
"Likewise when the metadata names a track that has not shown up, ms: a camera that opens slowly is worth waiting for, since players cannot add a track later."

TRACK_LOST_MS: Final = 10_000
"A track that shows nothing while the other one goes on for this long counts as gone, ms: metadata, FLV flags and the PMT leave it out until it is back. Cameras at 1 frame in 5 s exist, and encoders that send no silence."

TRACKS_REMEMBERED: Final = 10_000
"Streams whose tracks are remembered after their end, names: the newest, some 300 bytes each."

LIVE_CLOCK_STEP_MS: Final = 1000
"Clock tags of a stream without video stand this far apart, ms; with video there is one before each keyframe."

DELAY_BOUNDS_MS: Final = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10_000)
"Upper bounds of the delays counted for `/metrics`, ms: from what one keyframe costs to a viewer who gives up."

LIVE_CLOCK_HOPS_MAX: Final = 255
"Servers that a clock tag counts, at most: more is a stream that runs in a circle."

OUTLETS_MAX: Final = 32
"Logs of one stream before those that nobody reads are looked for, besides when a player leaves: containers times choices, each at least one segment."

SPLICE_GAP_MS: Final = 1000
"A publisher that returns goes on behind the last tag by the time it was away, but by no more than this, ms: players have nothing to show for the rest."

# --- HTTP ------------------------------------------------------------------------------------

HTTP_HEAD_BYTES_MAX: Final = 16 * 1024
"Longest request head, bytes (nginx takes 8 KiB a line, Apache 8 KiB a field; tokens in URLs grow)."

HTTP_BODY_BYTES_MAX: Final = 64 * 1024
"Longest request body taken into memory, bytes: API calls only."

HTTP_PIPELINE_MAX: Final = 16
"Requests that may wait on one connection for the answer to the first."

MESSAGE_STREAM_MAX: Final = 32
"Highest message stream that an RTMP player may play on. It is part of each chunk header, so every id is a log of its own; players use 1."

HTTP_IDLE_SECONDS: Final = 15.0
"A connection without a first request, or one that takes nothing of an answer, is closed after this, seconds (as SRS)."

HTTP_KEEP_SECONDS: Final = 75.0
"A connection that was answered may ask again for this long, seconds (as nginx). At 15 ffmpeg's HLS reader met closed connections: it keeps a second one that it needs only when it is late."

HTTP_COPY_BYTES_MAX: Final = 16 * 1024
"Bodies up to this are copied behind their heads, bytes: one send. Longer ones are shared by all who are sent them."

HTTP_LINGER_SECONDS: Final = 1.0
"Time in which a refused client can read why, while what it still sends is read away, seconds."

ACCEPTS_MAX: Final = 32
"TLS connections accepted in one turn of the loop, at most: their handshakes follow, a few ms each."

ACCEPT_REST_SECONDS: Final = 1.0
"Pause of a TLS listener that found no descriptor free, seconds: the socket stays readable all the time."

LISTEN_BACKLOG: Final = 4096
"Connections that wait to be accepted: a join storm of 2,000 a second may fill two seconds of it."

RESPONSE_HEADS_MAX: Final = 64
"Different live response heads kept for sharing; CORS preflight names make a few."

MISSING_SECONDS_MIN: Final = 1.0
"A stream that is there but whose tracks are not known yet is waited for this long even with on_missing 0, seconds."

LOW_WATER_SECONDS: Final = 0.25
"How often a publisher's receive low-water mark is chosen, seconds; also the longest that a lone command may lie unread."

LOW_WATER_GATHER_SECONDS: Final = 0.1
"A publisher that nobody watches gathers about this much media before it wakes the event loop, seconds: 10 wake-ups a second instead of 70."

LOW_WATER_BYTES_MAX: Final = 16 * 1024
"And never more than this, bytes: well below the smallest receive buffer, so that the sender is never held up."

COMMAND_SECONDS: Final = 30.0
"Silence allowed on an RTMP connection that neither publishes nor plays, seconds (as SRS on connection commands)."

CLOSE_SECONDS: Final = 10.0
"Time that an RTMP peer gets to read the last answers before its connection is cut, seconds: enough for a few hundred bytes on any link. Who never reads would keep its seat."

KEEPALIVE_IDLE_SECONDS: Final = 60
"The kernel asks an RTMP player that was silent for this long whether it is there, seconds: a paused one may stay for hours, one whose network vanished for two minutes."

KEEPALIVE_STEP_SECONDS: Final = 15
"Without an answer it asks again after this, seconds."

KEEPALIVE_PROBES: Final = 4
"Questions without an answer, count, after which it is gone."

ANSWER_BYTES_MAX: Final = 1024 * 1024
"Answers to an RTMP peer that may wait for it to read, bytes: a session's commands are answered with a few hundred."

WATCH_SECONDS_MIN: Final = 0.5
"A connection's deadline is looked at no more often than this, seconds: it costs nothing per read."

CERTIFICATE_CHECK_SECONDS: Final = 2.0
"How often the files of certificates are looked at, seconds: two stat calls each, off the event loop. Renewals are weeks apart; whoever replaces a file by hand should not have to wait."

# --- API -------------------------------------------------------------------------------------

PROBE_REDIRECTS_MAX: Final = 5
"Redirects that `fastflv probe` follows: an edge, a balancer, and a few more; a circle ends."

RATE_SECONDS: Final = 30.0
"Span of the bit rates that the API shows, seconds (`recv_30s`, `send_30s`)."

RATE_KEYS_MAX: Final = 50_000
"Counters whose rate is remembered; beyond it those not asked for lately are forgotten."

PAGE_COUNT_DEFAULT: Final = 10
"Streams or clients in one API answer when the request names no count (as SRS)."

CONNECTIONS_DEFAULT_MAX: Final = 100_000
"max_connections without a configuration file is what the open-file limit allows, up to this."

PROBE_SECONDS: Final = 10.0
"How long `fastflv probe` reads unless it is told otherwise, seconds: two groups of pictures of 4 s."

PROBE_WAIT_SECONDS: Final = 10.0
"How long it waits for the first media, seconds: longer than on_missing."

PROBE_BURST_SECONDS: Final = 0.5
"What arrives within this time of the first media is the past that a player starts with: rates and delays are those of what comes later, seconds."

GC_OBJECTS: Final = 50_000
"Objects made before the collector of cycles looks at the young ones (Python's default is 700 or 2,000): a live server makes few cycles, and a look costs by what it finds alive."

# --- stopping --------------------------------------------------------------------------------

STOP_SECONDS: Final = 2.0
"Time that players get to take their last bytes when the server stops, seconds."

STOP_STEP_SECONDS: Final = 0.02
"How often a stopping server looks whether they did, seconds."

# --- WebSocket -------------------------------------------------------------------------------

WEBSOCKET_PING_SECONDS: Final = 25.0
"A WebSocket player is pinged this often, seconds: below the 30 to 60 s after which NATs and proxies forget a connection."

WEBSOCKET_SILENCE_SECONDS: Final = 60.0
"A WebSocket player that sends nothing for this long, not even pongs, is gone, seconds: two pings."

WEBSOCKET_SAID_BYTES_MAX: Final = 16 * 1024
"Bytes taken from a WebSocket player between two pings: it has little to say but pongs. Frames are read in Python, 40 us for each of 6 bytes: 16 KiB of them hold everybody up for 0.1 s."

WEBSOCKET_CLOSE_SECONDS: Final = 2.0
"Time for the peer's half of a WebSocket close, seconds."

# --- HLS -------------------------------------------------------------------------------------

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

MP4_DRIFT_MS: Final = 30
"Audio in MP4 runs on by its samples while the publisher's times lie within this, ms: more than rounding and jitter, less than is seen on lips."

PROXY_HEADER_BYTES_MAX: Final = 4096
"Longest body of a PROXY protocol v2 header, bytes. Addresses take 12 to 216; the rest is options, a client certificate of 2 KiB being the longest in use."

FORWARDED_HOPS_MAX: Final = 16
"Members of X-Forwarded-For or Forwarded that are read, from the right. Chains of proxies are 1 to 4 long; each costs some 5 us."
