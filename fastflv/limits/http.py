"""HTTP connections and WebSockets."""

from __future__ import annotations

from typing import Final

HTTP_HEAD_BYTES_MAX: Final = 16 * 1024
"Longest request head, bytes (nginx takes 8 KiB a line, Apache 8 KiB a field; tokens in URLs grow)."

HTTP_FIELDS_MAX: Final = 128
"Fields of a request head, count (Apache takes 100): each costs 150 bytes besides its text."

PAGE_URL_CHARS_MAX: Final = 1024
"What is kept of a Referer or Origin while its player is there, characters: rules look at its host, operators at its path."

HTTP_READ_BYTES: Final = 16 * 1024
"Input that is read at a time, bytes: 600 of the shortest requests, so what one read brings is bounded in objects too."

HTTP_BODY_BYTES_MAX: Final = 64 * 1024
"Longest request body taken into memory, bytes: API calls only. As much of an unwanted body is read away to keep its connection."

HTTP_HELD_BYTES_MAX: Final = 64 * 1024
"Input kept of a request that waits for the gate with its body, bytes: reading goes on so far, and the end of the connection is seen. One read of the socket, 256 KiB in uvloop, may exceed it."

HTTP_PIPELINE_MAX: Final = 16
"Requests that are read while one before them waits for its answer, beside those of one read."

HTTP_IDLE_SECONDS: Final = 15.0
"A connection without a first request, or one that takes nothing of an answer, is closed after this, seconds (as SRS)."

HTTP_KEEP_SECONDS: Final = 75.0
"A connection that was answered may ask again for this long, seconds (as nginx). At 15 ffmpeg's HLS reader met closed connections: it keeps a second one that it needs only when it is late."

HTTP_COPY_BYTES_MAX: Final = 16 * 1024
"Bodies up to this are copied behind their heads, bytes: one send. Longer ones are shared by all who are sent them."

HTTP_STREAM_BYTES: Final = 64 * 1024
"Bytes of a streamed answer that may wait for the client before its writer is asked to pause (as asyncio)."

HTTP_FILE_BYTES: Final = 1024 * 1024
"Bytes of a file that a thread sends before another file has its turn, where one waits: 1 ms from the page cache."

HTTP_FILE_WAIT_MS: Final = 5
"A thread whose socket is full waits this long for its client before it gives itself back, ms: two round trips in a building."

HTTP_FILE_PIECE_BYTES: Final = 128 * 1024
"Bytes of a file read at a time for a TLS client: eight full records; a slow client holds two such pieces."

HTTP_TLS_WRITE_BYTES: Final = 64 * 1024
"Longest write to a TLS transport, bytes: it encrypts a write at once. Longer ones are cut, so that a client that does not read holds two such pieces of its own, and the rest unencrypted and shared."

HTTP_LINGER_SECONDS: Final = 1.0
"Time in which a refused client can read why, while what it still sends is read away, seconds."

PAGE_STREAMS_MAX: Final = 100
"Streams on the page at `/`: each costs some 500 bytes of the answer."

PAGE_ROWS_MAX: Final = 1000
"Streams that one worker lists for another, count: 20 ms over some turns, then 5 ms for their JSON, once a second at most."

PAGE_QUESTIONS_SECONDS: Final = 0.004
"CPU time in which streams of a list are looked at, seconds: some 400 with a token, and the answer costs the event loop as much as one of the API."

PAGE_ROW_SECONDS: Final = 1.0
"What a list shows of a stream is read again after this time, seconds: pages ask every 3 s, and reading takes 20 us."

START_VHOSTS_MAX: Final = 10
"Vhosts whose URLs the start shows, some ten lines each."

RESPONSE_HEADS_MAX: Final = 64
"Different live response heads kept for sharing; CORS preflight names make a few."

PLAIN_VARIANTS_MAX: Final = 64
"Variants of players without wishes that are kept for sharing, count: one for each container and each way in which a vhost offers it."

WEBSOCKET_PING_SECONDS: Final = 25.0
"A WebSocket player is pinged this often, seconds: below the 30 to 60 s after which NATs and proxies forget a connection."

WEBSOCKET_SILENCE_SECONDS: Final = 60.0
"A WebSocket player that sends nothing for this long, not even pongs, is gone, seconds: two pings."

WEBSOCKET_SAID_BYTES_MAX: Final = 16 * 1024
"Bytes taken from a WebSocket player between two pings: it has little to say but pongs. Frames are read in Python, 40 us for each of 6 bytes: 16 KiB of them take 0.1 s, in turns."

WEBSOCKET_READ_BYTES: Final = 256
"Bytes of a WebSocket player that are read between two looks at the time of the turn: 40 of the shortest frames, 1.7 ms."

WEBSOCKET_PUBLISH_BYTES: Final = 1024
"Bytes of a WebSocket publisher that are read between two looks at the time of the turn: 146 of the shortest frames, 3 ms; a Mbit/s of long ones costs 0.12 % of a core, most of it to unmask them."

WEBSOCKET_CLOSE_SECONDS: Final = 2.0
"Time for the peer's half of a WebSocket close, seconds."

HTTP_KNOWN_PATHS_MAX: Final = 1024
"Paths whose routes a vhost remembers, count: the playlists and segments that viewers ask for again and again."

HTTP_KNOWN_PATH_CHARS_MAX: Final = 256
"Longest of them, characters: with it a vhost remembers some 400 KB at most."

HTTP_KNOWN_HEADS_MAX: Final = 64
"Request heads that are remembered with what they ask, count: those of one crowd, which differ by its players' names alone."

HTTP_KNOWN_HEAD_BYTES_MAX: Final = 1024
"Longest of them, bytes: with their fields they take 200 KB at most."

HTTP_SMALL_FILE_BYTES_MAX: Final = 64 * 1024
"Files up to this size are answered from memory, bytes: pages, scripts and playlists; media is sent by the kernel."

HTTP_SMALL_FILES_BYTES: Final = 16 * 1024 * 1024
"Memory for them, bytes: the pages of a site."

HTTP_SMALL_FILE_EXTRA_BYTES: Final = 1024
"What an entry costs beside its body, bytes: paths and objects."

HTTP_SMALL_FILE_AGED_SECONDS: Final = 0.4
"A small file that is asked for when its look is so old is looked at again, seconds: one that is asked for twice a second is never waited for."

HTTP_SMALL_FILE_GATHER_SECONDS: Final = 0.1
"Such files are gathered for one call of a thread, seconds: a call costs as much as ten looks."

HTTP_SMALL_FILE_SECONDS: Final = 1.0
"How long a small file, or the absence of a file, is answered without a look at the disk, seconds: nobody sees an edit later than that."
