"""The commands beside the server: remux, record, push."""

from __future__ import annotations

from typing import Final

TOOL_READ_BYTES: Final = 256 * 1024
"Bytes of a file that are read at a time: 4 ms of Python at most, so Ctrl-C is heard at once."

TOOL_BATCH_MS: Final = 500
"Media that is written to a log before the containers follow, ms: a page of the smallest streams."

TOOL_LOG_BYTES: Final = 32 * 1024 * 1024
"Memory of a log, bytes: a batch of the largest tags. The tracks count as known when half of it is filled."

TOOL_SETTLE_MS: Final = 2000
"Media after which the tracks of a file count as known, ms: as long as a live stream waits for a track that its metadata names."

TOOL_WAIT_SECONDS: Final = 10.0
"How long a command waits for the first media, or for the answer of a server, seconds: longer than on_missing."

TOOL_CONTINUE_SECONDS: Final = 1.0
"How long a push waits for `100 Continue` before it sends its body anyway, seconds: servers that do not know it never answer (RFC 9110, 10.1.1)."

TOOL_STALL_SECONDS: Final = 30.0
"Silence after which a recording ends, seconds: a publisher that returns within its grace is waited for."

TOOL_HLS_MS: Final = 6000
"Length of HLS segments that `fastflv remux` writes, ms, as the HLS authoring specification recommends."

TOP_SECONDS: Final = 2.0
"Time between two looks of `fastflv top`, seconds."

TOP_SECONDS_MIN: Final = 0.2
"And the shortest, seconds: a look at thousands of clients costs the server 10 ms."

TOP_FIRST_SECONDS: Final = 1.0
"Time between the two looks of `fastflv top --once`, seconds: frames are counted in it."

TOP_STREAMS_MAX: Final = 2000
"Streams that `fastflv top` asks for, count: four answers."

TOP_CLIENTS_MAX: Final = 2000
"Clients whose lag it looks at, count: four answers, 24 ms of the server's event loop each look."

TOP_PLAYERS: Final = 8
"Players that it names, those that lag most, count."
