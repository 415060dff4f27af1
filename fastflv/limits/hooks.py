"""`http_hooks { }` and `heartbeat { }`: requests to the servers of the operator."""

from __future__ import annotations

from typing import Final

HTTP_CALL_SECONDS: Final = 30.0
"A request to another server, from its name to the last byte of the answer, seconds: as long as SRS waits."

HTTP_CALL_CONNECT_SECONDS: Final = 5.0
"A connection to another server, seconds: a host that drops packets is known by then, after two lost SYNs."

HTTP_CALL_IDLE_SECONDS: Final = 4.0
"An idle connection is kept for the next request, seconds: Node.js and uvicorn close theirs after 5 s."

HTTP_CALL_NAME_SECONDS: Final = 10
"Addresses of a host name are used again for so long, seconds: a name server is not asked for each player."

HTTP_CALLS_PER_SERVER: Final = 1000
"Requests under way to one host and port, count: each holds a descriptor. 1,000 joins a second with answers within a second."

HOOK_RETRY_SECONDS: Final = 5.0
"Retry-After when a server of hooks does not answer, or has too many to answer, seconds."

HOOK_REPLY_BYTES_MAX: Final = 32 * 1024
"Answer of a hook, bytes: SRS reads as much at a time, and the answer is one number."

HOOK_EVENTS_MAX: Final = 20_000
"Events of one vhost that wait to be sent, count: 500 bytes each, so 10 MB. Beyond that new ones are lost, with a line in the log."

HOOK_EVENTS_AT_ONCE: Final = 64
"Events of one vhost that are sent at once, count: 64 answers of 10 ms are 6,400 events a second."

HOOK_NOTIFY_SECONDS: Final = 10.0
"A request of `on_hls_notify`, seconds, as in SRS: a segment that is not in the cache by then is fetched by the first viewer."

HOOK_STOP_SECONDS: Final = 2.0
"A server that stops waits so long for events that are not sent, seconds."

STREAM_IDS_PROMISED: Final = 1024
"Ids of streams that hooks were told before the stream began, count: 200 bytes each. A name that is asked for often keeps its own."
