"""The keeper as a process of its own: whom it waits for, by its children and by words."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from fastflv.control import keeper

NOBODY = 1 << 30
"No process has this number."


class Kept:
    """A keeper that has one child, which lives long, where *child* is true."""

    def __init__(self, serving: int, *, child: bool) -> None:
        self.sock, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fd = theirs.fileno()
        script = f'exec "{sys.executable}" -I -S "{Path(keeper.__file__)}" {fd} {serving}'
        self.process = subprocess.Popen(
            ["sh", "-c", f"sleep 600 >&- & echo $!; {script}" if child else script],
            pass_fds=(fd,),
            stdout=subprocess.PIPE,
            text=True,
        )
        theirs.close()
        assert self.process.stdout is not None
        self.child = int(self.process.stdout.readline()) if child else 0

    def close(self) -> None:
        if self.child:
            os.kill(self.child, signal.SIGKILL)
        self.process.kill()
        self.process.communicate()
        self.sock.close()


@pytest.fixture
def started() -> Iterator[list[Kept]]:
    kept: list[Kept] = []
    yield kept
    for each in kept:
        each.close()


def test_a_keeper_of_nobody_ends_with_an_error(started: list[Kept]) -> None:
    started.append(Kept(NOBODY, child=False))
    assert started[0].process.wait(60) == keeper.LOST


@pytest.mark.parametrize(("how", "status"), [(0, 0), (3, 3), (-signal.SIGKILL, 137)])
def test_a_keeper_ends_with_who_serves_though_that_is_the_child_of_another_process(
    how: int, status: int, started: list[Kept]
) -> None:
    started.append(Kept(NOBODY, child=True))
    sock = started[0].sock
    for word in (f"{NOBODY + 1}", f"{NOBODY} 5", f"{NOBODY + 1} {how}"):
        sock.send(word.encode())
    assert started[0].process.wait(60) == status
