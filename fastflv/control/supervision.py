"""Who waits for the server from outside, and how an upgrade looks to them.

systemd is told which process serves, and a server in the background has nobody who waits. Any other supervisor (a container,
tini, supervisord, runit, a shell) knows the process that it started, and no other: that one stays, as the keeper of those
that follow (`control/keeper.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import subprocess
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
        self._follower: subprocess.Popen[bytes] | None = None
        "Who was started for the last upgrade. One that is forgotten is reaped, and its status is lost."
        self._serving = 0
        "The process that serves in place of this one, as far as this one knows."
        self._how: int | None = None
        "How that one has ended, where its parent has told it."

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
            self._sock.setblocking(False)
        given = self._given or self._sock
        return {VARIABLE: given.fileno()} if given is not None else {}

    def started(self) -> None:
        """The process that follows has what it inherits."""
        given, self._given = self._given, None
        if given is not None:
            given.close()

    def handed(self, process: subprocess.Popen[bytes]) -> None:
        """*process* serves from now on. It is called before another one can follow that."""
        self._follower = process
        self._serving = process.pid
        if not self.kept:
            notify(main_process(process.pid))
        elif self._stays:
            # Loaded for an upgrade alone: it takes half a megabyte.
            import ctypes

            ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
        else:
            self._tell(str(process.pid))

    def watch_followers(self, loop: asyncio.AbstractEventLoop, ended: Callable[[int], None]) -> None:
        """Call *ended* with the number of the process that serves, once that has ended, where this one stays for a supervisor.

        Any other process tells the keeper of the end of its follower, and goes on: another one may serve by then.
        """
        sock = self._sock
        if sock is None:
            return
        if not self._stays:
            _on_end(loop, self._serving, self._tell_end)
            return

        def watch() -> None:
            process = self._serving
            _on_end(loop, process, lambda: look(process))

        def look(process: int) -> None:
            self._read()
            if self._serving == process:
                ended(process)
            else:
                watch()

        def came() -> None:
            self._read()
            if self._how is not None:
                ended(self._serving)
            # Nobody has the other end once the last follower has ended, which its number shows.
            if self._how is not None or _is_over(sock):
                loop.remove_reader(sock)

        loop.add_reader(sock, came)
        watch()

    def forward(self, number: int) -> bool:
        """Give a signal that the supervisor sent to the process that serves; return whether that gets it."""
        if not self._stays or not self._serving:
            return False
        self._read()
        with suppress(ProcessLookupError):
            os.kill(self._serving, number)
        return True

    def keep(self, status: int) -> int:
        """This process has ended its own work with *status*: become the keeper where one is needed.

        Returns the status to end with. It does not return where Python can be started anew, which frees all memory.
        """
        sock, script = self._sock, Path(keeper.__file__)
        if not self._serving or sock is None:
            return status
        if not self._stays:
            self._tell_end()
            return status
        self._read()
        if self._how is not None:
            return keeper.as_status(self._how)
        os.set_inheritable(sock.fileno(), True)
        words = [sys.executable, "-I", "-S", str(script), str(sock.fileno()), str(self._serving)]
        sys.stdout.flush()
        sys.stderr.flush()
        with suppress(OSError):
            if script.exists():
                os.execv(words[0], words)
        return keeper.keep(sock.fileno(), self._serving)

    def _read(self) -> None:
        """Read what followers have told."""
        if self._sock is not None:
            ended: dict[int, int] = {}
            self._serving = keeper.read_words(self._sock.fileno(), self._serving, ended)
            self._how = ended.get(self._serving, self._how)

    def _tell(self, word: str) -> None:
        try:
            if self._sock is not None:
                self._sock.send(word.encode())
        except OSError as error:
            log.warning("the keeper is not told %s: %s", word, error)

    def _tell_end(self) -> None:
        """Tell the keeper how the follower has ended, once it has: it is no child of the keeper."""
        follower = self._follower
        if follower is not None and follower.returncode is None and follower.poll() is not None:
            self._tell(f"{follower.pid} {follower.returncode}")

    def _close(self) -> None:
        if self._sock is not None:
            self._sock.close()


def _on_end(loop: asyncio.AbstractEventLoop, process: int, ended: Callable[[], None]) -> None:
    """Call *ended* once *process* has ended; at once where nobody has to reap it any more."""
    try:
        watch = os.pidfd_open(process)
    except ProcessLookupError:
        loop.call_soon(ended)
        return
    except OSError as error:
        log.warning("the end of process %d will not be seen: %s", process, error)
        return

    def over() -> None:
        loop.remove_reader(watch)
        os.close(watch)
        ended()

    loop.add_reader(watch, over)


def _is_over(sock: socket.socket) -> bool:
    """Return whether nobody has the other end any more."""
    try:
        return not sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except ConnectionError:
        return True
