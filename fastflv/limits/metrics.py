"""What Prometheus is told."""

from __future__ import annotations

from typing import Final

METRICS_STREAMS: Final = 500
"Default of `exporter { streams }`, count: streams with rows of their own in one scrape, 16 lines and 2 KB each, so 1 MB. The streams beyond share the row `other`."

METRICS_STREAMS_MAX: Final = 10_000
"Its bound, count: 20 MB a scrape, which Prometheus still takes."

METRICS_STEP: Final = 64
"Clients or streams that are looked at between two looks at the clock, count: 0.1 to 0.4 ms."
