"""`limits { }`: what stands beside the numbers of the configuration."""

from __future__ import annotations

from typing import Final

LIMIT_KEYS_MAX: Final = 20_000
"Addresses and streams whose requests a second are remembered, count: 250 bytes each, so 5 MB. The key asked for longest ago goes first, and most often its bucket is full."

LIMIT_RETRY_SECONDS: Final = 10.0
"Retry-After of a limit of which nobody knows when it has room again, seconds."

LIMIT_LOOK_SECONDS: Final = 1.0
"How often bit rates are measured where a limit asks for them, seconds: 1 us for each client."

LIMIT_LOOK_CLIENTS: Final = 256
"Clients that are looked at in one turn of the event loop, count: 0.3 ms."

SEND_RATE_WEIGHT: Final = 0.3
"Share of the newest second in the rate that is sent: a rush of players that start with a GOP each counts for some seconds."

INGEST_BURST_SECONDS: Final = 5.0
"A publisher may be ahead of its `ingest_rate` by so much, seconds of it: encoders send a GOP at once when they begin, and scenes differ. Twice the rate is closed after 5 s."
