"""The keeper: what the first process of a server becomes once another one serves, where its supervisor waits for it alone.

It is run as a script that imports little, so it costs few megabytes. It passes signals on to the serving process, reaps
whoever ends, and ends with the status of the serving one. Each later process says by a socket who follows it.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"Signals that the serving process gets in place of the keeper."

WORD_BYTES = 64
"Longest word of a serving process, bytes: the number of the one that follows."


def keep(fd: int, serving: int) -> int:
    """Wait for process *serving*, and for those that follow it by a word at *fd*; return the status of the last.

    *fd*: a socket that keeps words apart. A process that a signal ended has the status 128 and its number.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (*PASSED, signal.SIGCHLD))
    for number in PASSED:
        signal.signal(number, signal.SIG_DFL)
    os.set_blocking(fd, False)
    while True:
        ended = _reap()
        # A process names its follower before it ends, so whoever was reaped has done so.
        serving = _newest(fd, serving)
        if serving in ended:
            status = os.waitstatus_to_exitcode(ended[serving])
            return status if status >= 0 else 128 - status
        came = signal.sigwaitinfo((*PASSED, signal.SIGCHLD)).si_signo
        if came != signal.SIGCHLD:
            with suppress(ProcessLookupError):
                os.kill(_newest(fd, serving), came)


def _reap() -> dict[int, int]:
    """Return the children that have ended, with their statuses."""
    found: dict[int, int] = {}
    with suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG))[0]:
            found[ended[0]] = ended[1]
    return found


def _newest(fd: int, serving: int) -> int:
    """Return who serves, once all words are read."""
    with suppress(BlockingIOError, ConnectionError):
        while word := os.read(fd, WORD_BYTES):
            serving = int(word)
    return serving


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), int(sys.argv[2])))
