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
