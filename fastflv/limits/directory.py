"""What servers of a cluster tell each other through Redis."""

from __future__ import annotations

from typing import Final

DIRECTORY_LEASE_SECONDS: Final = 10
"How long a server counts as there without a sign of life, seconds. A killed one is asked in vain for so long, which costs an edge one refused connection."

DIRECTORY_RENEW_SECONDS: Final = 3.0
"How often a server renews its lease, tells its load and looks for others whose news it has missed, seconds: three times in a lease."

DIRECTORY_RETRY_SECONDS: Final = 1.0
"Pause before a Redis that cannot be reached is tried again, seconds."

DIRECTORY_ANSWER_SECONDS: Final = 3.0
"Time for a connection to Redis and for each answer, seconds: it answers within milliseconds, or has stopped."

DIRECTORY_NODES_MAX: Final = 1000
"Servers that are known, count: each reads a few hundred bytes of each other one every DIRECTORY_RENEW_SECONDS."

DIRECTORY_STREAMS_MAX: Final = 100_000
"Streams of one server that others take note of, count: 100 bytes each."

DIRECTORY_CANCEL_SECONDS: Final = 0.05
"How often a connection that is to end is cancelled until it does, seconds: a cancellation may be lost once or twice, and a stop may not wait for that."
