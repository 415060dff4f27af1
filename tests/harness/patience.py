"""How long a test waits for what is sure to come: of no weight where it comes, and enough where all cores are busy.

Sanitized extensions, and Python without an allocator of its own, take a few times as long.
"""

from __future__ import annotations

import os

SANITIZED = "FASTFLV_SANITIZED" in os.environ
PATIENCE = 12 if SANITIZED else 3
SILENCE = 4 if SANITIZED else 1
"Factor of the time after which a peer is silent: some tests hold that nothing comes."


def patient(seconds: float) -> float:
    """Return the time for what takes less than *seconds* on a machine with some other work."""
    return seconds * PATIENCE
