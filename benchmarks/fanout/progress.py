"""Lines on stderr that say what a long run is doing."""

from __future__ import annotations

import sys
import time

EVERY = 10.0  # seconds between two lines of one long wait


class Progress:
    """Prints `[ 75 s] window350: srs 1/3: ...`; silent when told so."""

    def __init__(self, quiet: bool = False) -> None:
        self.start = time.monotonic()
        self.quiet = quiet
        self.subject = ""

    def say(self, text: str) -> None:
        """Print one line."""
        if not self.quiet:
            elapsed = time.monotonic() - self.start
            print(f"[{elapsed:5.0f} s] {self.subject}{text}", file=sys.stderr, flush=True)

    def sleep(self, seconds: float, what: str) -> None:
        """Sleep, with a line each ten seconds."""
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            if left > EVERY:
                self.say(f"{what}: {left:.0f} s left")
            time.sleep(min(left, EVERY))
