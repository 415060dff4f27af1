"""What the commands of all benchmarks have in common: how they end."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable

from benchmarks.fanout.errors import BenchError


def run(name: str, work: Callable[[], tuple[str, bool]]) -> int:
    """Print what *work* returns, the report; return the exit code: 1 when it says that something failed, 2 when nothing
    could be measured, 130 when it was interrupted."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that children are ended too
    try:
        text, failed = work()
    except BenchError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(text)
    return int(failed)
