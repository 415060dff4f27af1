"""RTMP connections: chunks, commands, deadlines."""

from __future__ import annotations

from typing import Final

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

PARTIAL_COMMAND_BYTES_MAX: Final = 2 * 64 * 1024
"The same for a connection that publishes nothing, bytes: two of the largest commands, COMMAND_BYTES_MAX. Anybody may hold so much."

ACK_WINDOW_BYTES: Final = 2_500_000
"Window Acknowledgement Size and peer bandwidth announced at connect, bytes (as SRS)."

CHUNK_BODY_FIRST_BYTES: Final = 4096
"First allocation for a message that spans chunks, bytes; it doubles from there, so memory follows what arrived."

CHUNK_BODY_KEEP_BYTES: Final = 8 * 1024
"A chunk stream keeps a body buffer up to this size for its next message, bytes: most frames up to 1 Mbit/s at 25 a second fit. A larger one costs an allocation a frame; kept, the buffer of a keyframe would be a tenth of what a publisher takes."

EXTENDED_STEP_MS: Final = 600_000
"An extended timestamp of a type 1 or 2 header that lies less than this ahead of the clock is read as absolute, ms."

COMMAND_BYTES_MAX: Final = 64 * 1024
"Largest command or data message that is parsed, bytes. onMetaData with a keyframe table of a long file stays below it."

NONMEDIA_SECONDS: Final = 5.0
"Span in which the two bounds below hold for an RTMP connection, seconds: what a link held back for as long may come at once."

NONMEDIA_MESSAGES_MAX: Final = 2000
"Messages besides media, count: some 15 us of Python each, so 30 ms of everybody's time. Encoders send tens in all; captions of each picture and times of each frame are 100 a second."

NONMEDIA_BYTES_MAX: Final = 512 * 1024
"Bytes of such messages: eight of the longest. A command full of nulls takes 0.8 us a byte, so 0.4 s."

AMF_DEPTH_MAX: Final = 16
"Deepest nesting of AMF objects. Real metadata nests 3 deep."

AMF_VALUES_MAX: Final = 4096
"AMF values parsed per message; beyond it the message is refused."

HANDSHAKE_SECONDS: Final = 10.0
"Time for a whole RTMP handshake and connect command before a half-open connection is closed, seconds."

NAME_CHARS_MAX: Final = 1024
"Longest app or stream name taken, characters."

PARAM_CHARS_MAX: Final = 10 * 1024
"Longest parameter string taken, characters: a token of 4,096 in the stream key, another in tcUrl, and their names. An HTTP head holds some more."

TC_URL_CHARS_MAX: Final = 3 * NAME_CHARS_MAX + PARAM_CHARS_MAX
"Longest tcUrl or app of `connect`, characters: a host, an app, a stream name and parameters of the greatest length each. It is read again at each publish and play."

PROXY_PREFIX_BYTES_MAX: Final = 512
"Longest address block that a proxy may put before the handshake (byte 0xF3), bytes. Proxies write 4."

HELD_BYTES_MAX: Final = RECEIVE_BYTES
"Input kept while a connect, publish or play waits for its answer, bytes: the rest of one read. The owner reads no more than that meanwhile."

PUBLISHES_MAX: Final = 8
"Publishes of one RTMP connection at once, count. FMLE sends three renditions; each costs a stream's log."

PLAY_BUFFER_MS: Final = 1000
"Buffer that our RTMP client announces for a play, ms: servers that pace by it keep a second ahead."

MESSAGE_STREAM_MAX: Final = 32
"Highest message stream that an RTMP player may play on. It is part of each chunk header, so every id is a log of its own; players use 1."

COMMAND_SECONDS: Final = 30.0
"Silence allowed on an RTMP connection that neither publishes nor plays, seconds (as SRS on connection commands)."

CLOSE_SECONDS: Final = 10.0
"Time that an RTMP peer gets to read the last answers before its connection is cut, seconds: enough for a few hundred bytes on any link. A peer that never reads would keep its place in `max_connections`."

ANSWER_BYTES_MAX: Final = 1024 * 1024
"Answers to an RTMP peer that may wait for it to read, bytes: a session's commands are answered with a few hundred."

WATCH_SECONDS_MIN: Final = 0.5
"A connection's deadline is looked at no more often than this, seconds: it costs nothing per read."

PLAY_DURATION_MS_MAX: Final = 1 << 40
"A player that asks for more than this is sent all there is, ms: it names no end."
