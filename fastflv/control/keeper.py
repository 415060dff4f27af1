"""The keeper: what the first process of a server becomes once another one serves, where its supervisor waits for it alone.

It is run as a script that imports little, so it costs few megabytes. It passes signals on to the serving process, reaps
whoever ends, and ends with the status of the serving one. Words at a socket say who serves, and who has ended:

- `PID`: this process serves in place of the sender. It is sent before any process can follow that one.
- `PID STATUS`: a child of the sender has ended, with the status that `os.waitstatus_to_exitcode` gives.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from contextlib import suppress

PASSED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2)
"Signals that the serving process gets in place of the keeper."

WAKING = (signal.SIGCHLD, signal.SIGIO)
"Signals of a child that has ended, and of a word."

WORD_BYTES = 64
"Longest word, bytes: two numbers."

LOST = 1
"Status where the serving process is gone and nobody has seen how it ended."


def keep(fd: int, serving: int) -> int:
    """Wait for process *serving*, and for those that follow it by a word at *fd*; return the status of the last.

    *fd*: a socket that keeps words apart. A process that a signal ended has the status 128 and its number.
    """
    signal.pthread_sigmask(signal.SIG_BLOCK, (*PASSED, *WAKING))
    for number in PASSED:
        signal.signal(number, signal.SIG_DFL)
    fcntl.fcntl(fd, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(fd, fcntl.F_SETFL, os.O_NONBLOCK | os.O_ASYNC)
    came = signal.SIGCHLD
    while True:
        ended: dict[int, int] = {}
        alone = _reap(ended)
        # Whoever was reaped has sent its words before.
        serving = read_words(fd, serving, ended)
        if serving in ended:
            return as_status(ended[serving])
        if alone:
            return LOST
        if came in PASSED:
            with suppress(ProcessLookupError):
                os.kill(serving, came)
        came = signal.Signals(signal.sigwaitinfo((*PASSED, *WAKING)).si_signo)


def read_words(fd: int, serving: int, ended: dict[int, int]) -> int:
    """Read all words at *fd*; return who serves by them. *ended* gets the processes that have ended, with how."""
    with suppress(BlockingIOError, ConnectionError):
        while word := os.read(fd, WORD_BYTES):
            process, _, how = word.partition(b" ")
            if how:
                ended[int(process)] = int(how)
            else:
                serving = int(process)
    return serving


def as_status(how: int) -> int:
    """Return the exit status that tells how a process ended, as a shell has it."""
    return how if how >= 0 else 128 - how


def _reap(ended: dict[int, int]) -> bool:
    """Reap the children that have ended into *ended*; return whether no child is left."""
    try:
        while (child := os.waitpid(-1, os.WNOHANG))[0]:
            ended[child[0]] = os.waitstatus_to_exitcode(child[1])
    except ChildProcessError:
        return True
    return False


if __name__ == "__main__":
    sys.exit(keep(int(sys.argv[1]), int(sys.argv[2])))
