"""`fastflv probe`."""

from __future__ import annotations

from typing import Final

PROBE_REDIRECTS_MAX: Final = 5
"Redirects that `fastflv probe` follows: an edge, a balancer, and a few more; a circle ends."

PROBE_SECONDS: Final = 10.0
"How long `fastflv probe` reads unless it is told otherwise, seconds: two groups of pictures of 4 s."

PROBE_KEYS_SECONDS: Final = 30.0
"Unless it is told otherwise it reads on for so long until two keyframes came live, seconds: cameras send one in 12 s."

PROBE_WAIT_SECONDS: Final = 10.0
"How long it waits for the first media, seconds: longer than on_missing."

PROBE_BURST_SECONDS: Final = 0.5
"What arrives within this time of the first media is the past that a player starts with: rates and delays are those of what comes later, seconds."
