"""Who waits for the server from outside, and how an upgrade looks to them.

systemd is told which process serves, and a server in the background has nobody who waits. Any other supervisor (a container,
tini, supervisord, runit, a shell) knows the process that it started, and no other: that one stays, as the keeper of those
that follow (`control/keeper.py`).
"""

from __future__ import annotations

import ctypes
import logging
import os
import socket
import sys
from collections.abc import Callable, Mapping, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from fastflv.control import keeper
from fastflv.control.notify import VARIABLE as SYSTEMD
from fastflv.control.notify import main_process, notify

log = logging.getLogger(__name__)

VARIABLE: Final = "FASTFLV_KEEPER"
"Names the descriptor of the socket to the keeper, in a process that follows another one."

SUBREAPER: Final = 36
"PR_SET_CHILD_SUBREAPER, prctl(2): whoever loses its parent becomes a child of this process. It outlasts an exec."


class Supervision:
    """The place of this process among those that serve one after the other."""

    def __init__(self, *, stays: bool = False, sock: socket.socket | None = None) -> None:
        """*stays*: it becomes the keeper of the one that follows. *sock*: to the keeper that there is."""
        self._stays = stays and sock is None
        self._sock = sock
        "To the keeper, or of it."
        self._given: socket.socket | None = None
        "The end for who follows, while that starts."
        self._serving = 0

    @classmethod
    def found(cls, environ: MutableMapping[str, str], *, background: bool) -> Supervision:
        """Return that of this process. *background*: it has detached itself from who started it."""
        word = environ.pop(VARIABLE, "")
        if word.isdecimal():
            with suppress(OSError):
                sock = socket.socket(fileno=int(word))
                os.set_inheritable(sock.fileno(), False)
                return cls(sock=sock)
        # A container ends with its process 1, whoever else is told.
        return cls(stays=os.getpid() == 1 or not (background or environ.get(SYSTEMD)))

    @property
    def kept(self) -> bool:
        """Another process, or this one later, stays for the supervisor."""
        return self._stays or self._sock is not None

    def watch(self, add_reader: Callable[[int, Callable[[], None]], None], ended: Callable[[], None]) -> None:
        """Call *ended* once the keeper is gone: its supervisor starts a server of its own then."""
        sock = self._sock
        if sock is None or self._stays:
            return
        sock.setblocking(False)
        add_reader(sock.fileno(), ended)

    # --- an upgrade ---

    def pass_on(self) -> Mapping[str, int]:
        """Return the variables and descriptors that the process that follows inherits."""
        if self._stays:
            self._close()
            self._sock, self._given = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        given = self._given or self._sock
        return {VARIABLE: given.fileno()} if given is not None else {}

    def started(self) -> None:
        """The process that follows has what it inherits."""
        given, self._given = self._given, None
        if given is not None:
            given.close()

    def handed(self, process: int) -> None:
        """*process* serves."""
        self._serving = process
        if not self.kept:
            notify(main_process(process))
        elif not self._stays and self._sock is not None:
            try:
                self._sock.send(str(process).encode())
            except OSError as error:
                log.warning("the keeper is not told of process %d: %s", process, error)

    def forward(self, number: int) -> bool:
        """Give a signal that the supervisor sent to the process that serves; return whether that gets it."""
        if not self._stays or not self._serving:
            return False
        with suppress(ProcessLookupError):
            os.kill(self._serving, number)
        return True

    def keep(self, status: int) -> int:
        """This process has ended its own work with *status*: become the keeper where one is needed.

        Returns the status to end with. It does not return where Python can be started anew, which frees all memory.
        """
        sock, script = self._sock, Path(keeper.__file__)
        if not self._stays or not self._serving or sock is None:
            return status
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        os.set_inheritable(sock.fileno(), True)
        words = [sys.executable, "-I", "-S", str(script), str(sock.fileno()), str(self._serving)]
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            if script.exists():
                os.execv(words[0], words)
        return keeper.keep(sock.fileno(), self._serving)

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()


def on_end(
    process: int, add_reader: Callable[[int, Callable[[], None]], None], ended: Callable[[], None]
) -> None:
    """Call *ended* once *process* has ended."""
    with suppress(OSError):
        add_reader(os.pidfd_open(process), ended)
