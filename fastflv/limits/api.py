"""The HTTP API."""

from __future__ import annotations

from typing import Final

RATE_SECONDS: Final = 30.0
"Span of the bit rates that the API shows, seconds (`recv_30s`, `send_30s`)."

RATE_KEYS_MAX: Final = 50_000
"Counters whose rate is remembered; beyond it those not asked for lately are forgotten."

PAGE_COUNT_DEFAULT: Final = 10
"Streams or clients in one API answer when the request names no count (as SRS)."

WORKER_ROWS_MAX: Final = 10_000
"Rows that one worker gives another of a list, which begins at row 0: some 300 ms over many turns, then 50 to 100 ms for their JSON."

PAGE_COUNT_MAX: Final = 500
"Streams or clients in one API answer, at most: 12 to 40 us each, made over some turns of the event loop; then 2 to 5 ms for their JSON."

LISTING_STEP: Final = 16
"Rows that are made between two looks at the clock, count: 0.2 to 0.6 ms."

SAMPLE_TIMES: Final = 20
"Sums over all clients, and what /proc says, are shown again for so many times as long as they took: whoever asks, they take 5 % of the event loop. 10 ms of 10,000 clients are shown for 0.2 s."

SAMPLE_FREE_SECONDS: Final = 0.001
"What takes less than this is taken anew for each request, seconds: some 500 clients."

MACHINE_SAMPLE_SECONDS: Final = 0.5
"Least time between two samples of the machine's CPU and disks, seconds: counters of 10 ms say nothing over less, and two pages that ask at once get the same."

LOG_KEPT_LINES: Final = 10_000
"Lines of the log that are kept for the API: the last minutes of a busy server, some hours of a quiet one."

LOG_KEPT_CHARS: Final = 2 << 20
"Characters of these lines at most: one byte each where they are ASCII."

LOG_KEPT_LINE_CHARS: Final = 200
"What a line counts as besides its text: its objects, bytes."

LOG_PAGE_LINES: Final = 500
"Lines of the log in one API answer, at most: 2 us each, and 3 for their JSON."

TREND_SECONDS: Final = 5.0
"Time between two samples of /api/v1/trends, seconds: 0.1 ms each, and 1 us for each player."

TREND_SAMPLES: Final = 720
"Samples that are kept: an hour, some 300 KB. All of them in one answer take 2 ms."

WARN_KEY_MS: Final = 10_000
"Time without a keyframe, or between two, beyond which /api/v1/publishers warns, ms: a player waits so long for its picture where no start is made up."

WARN_REPAIR_MS: Final = 60_000
"How long a repaired timestamp is worth a warning, ms: an operator who looks sees it, and one of yesterday is no news."

WARN_PICTURES_MIN: Final = 50
"Pictures before the order and the rate of pictures are judged, count: two seconds."

WARN_REORDERED: Final = 0.05
"Part of the pictures that is shown before earlier ones, beyond which there are B-frames: a repaired timestamp makes one or two."

WARN_STEP_CHANGE: Final = 0.35
"Mean change of the time between two pictures, as a part of that time, beyond which the frame rate varies: rounding to ms makes 0.06 at 60 a second."

WARN_STEP_CHANGE_MS_MIN: Final = 4.0
"Likewise in ms at least: clocks of capture cards jitter by less."

WARN_JITTER_MS: Final = 200.0
"Jitter of arrival that is worth a warning, ms: reads that gather for nobody make some 50, and players buffer so much."

WARN_SKEW_MS: Final = 700
"Distance between sound and picture that is worth a warning, ms: interleaving of encoders makes up to half a second."
