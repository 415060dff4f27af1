"""HTTP/2 connections: what one client may open, send and leave unread."""

from __future__ import annotations

from typing import Final

HTTP2_STREAMS_MAX: Final = 128
"Requests of one connection at a time, count (as nginx): a wall of 64 cameras with as many small requests beside it."

HTTP2_FRAME_BYTES: Final = 16 * 1024
"Longest frame, bytes: what a client may send (RFC 9113, 4.2), and what one stream sends before the next has its turn. One TLS record."

HTTP2_STREAM_WINDOW: Final = 256 * 1024
"Bytes of one request body that may wait unread, bytes: a publisher of 20 Mbit/s at 100 ms of round trip."

HTTP2_CONNECTION_WINDOW: Final = 1024 * 1024
"Likewise of all bodies of a connection together, bytes: it bounds what a client leaves in memory."

HTTP2_STREAM_BYTES: Final = 64 * 1024
"Bytes that a live player may hand over for one frame or turn before it has to wait, bytes: what it hands over it cannot skip."

HTTP2_LIST_BYTES_MAX: Final = 64 * 1024
"Longest decoded header list, bytes, counted as RFC 9113, 6.5.2: beyond it the connection is closed; above HTTP_HEAD_BYTES_MAX a request is answered with 431."

HTTP2_BLOCK_BYTES_MAX: Final = 64 * 1024
"Longest header block before it is decoded, bytes: it is held in memory until its last frame."

HTTP2_CONTINUATIONS_MAX: Final = 8
"CONTINUATION frames of one header block, count: HTTP2_BLOCK_BYTES_MAX needs three."

HTTP2_TABLE_BYTES: Final = 4096
"Dynamic table of HPACK, bytes, in either direction (RFC 9113, 6.5.2): each connection holds two, whatever a client offers."

HTTP2_SETTINGS_BYTES_MAX: Final = 240
"Longest SETTINGS frame, bytes: 40 settings; RFC 9113 and its extensions know nine."

HTTP2_RESETS_BURST: Final = 200
"Requests that a client may cancel at once, count: it takes back a whole page of streams and what it prefetched."

HTTP2_RESETS_PER_SECOND: Final = 20
"And that it goes on to cancel, count a second: each costs a request of work (CVE-2023-44487)."

HTTP2_CONTROL_BURST: Final = 400
"Frames without a request or a body that a client may send at once, count: PING, SETTINGS, WINDOW_UPDATE, priorities, empty frames. 20 us each."

HTTP2_CONTROL_PER_SECOND: Final = 40
"And that it goes on to send, count a second, beside those that answer what it is sent."

HTTP2_CONTROL_EARNED: Final = 3
"For each DATA frame that it is sent, so many more, count: a WINDOW_UPDATE for the stream, one for the connection, one to spare."

HTTP2_FRAMES_FREE: Final = 8
"Frames of one read that are handled without a look at the time of the turn, count: media of a body must not wait behind the requests of others."

HTTP2_ANSWERS_BYTES_MAX: Final = 16 * 1024
"Control frames that wait for a client that reads nothing, bytes: above, its input waits too."

HTTP2_CLOSED_STREAMS: Final = 1024
"Ended streams that a connection remembers, count: frames for them may still be on their way. 100 bytes each."

HTTP2_PING_SECONDS: Final = 25.0
"A connection with open streams whose client said nothing for this long is sent a PING, seconds (as WEBSOCKET_PING_SECONDS)."

HTTP2_SILENCE_SECONDS: Final = 60.0
"A client that answers no PING for this long is gone, seconds: two of them."
