"""An event loop whose clock a test moves, and a transport whose peer reads when the test says so."""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable
from typing import Any

from fastflv.net.turns import Turns


class Handle:
    def __init__(self, when: float, call: Callable[[], object]) -> None:
        self._when = when
        self.call = call
        self.cancelled = False

    def when(self) -> float:
        return self._when

    def cancel(self) -> None:
        self.cancelled = True


class FakeLoop:
    """Runs what is due in the order of its time; nothing runs by itself."""

    def __init__(self) -> None:
        self.now = 1000.0
        self._timers: list[Handle] = []
        self._soon: list[Handle] = []
        self._readers: dict[int, Callable[..., object]] = {}

    def time(self) -> float:
        return self.now

    def call_soon(self, call: Callable[..., object], *args: object) -> Handle:
        self._soon.append(Handle(self.now, lambda: call(*args)))
        return self._soon[-1]

    def call_at(self, when: float, call: Callable[..., object], *args: object) -> Handle:
        self._timers.append(Handle(when, lambda: call(*args)))
        return self._timers[-1]

    def call_later(self, delay: float, call: Callable[..., object], *args: object) -> Handle:
        return self.call_at(self.now + delay, call, *args)

    def add_reader(self, fd: int, call: Callable[..., object]) -> None:
        self._readers[fd] = call

    def remove_reader(self, fd: int) -> None:
        del self._readers[fd]

    @property
    def watching(self) -> bool:
        """Somebody is told of a descriptor that has input."""
        return bool(self._readers)

    def read(self) -> None:
        """Tell those who read descriptors of what is there, until nothing is."""
        while ready := select.select(list(self._readers), [], [], 0)[0]:
            for fd in ready:
                self._readers[fd]()
            self.turn()

    @property
    def timers(self) -> list[Handle]:
        """Those that will run."""
        self._timers = [handle for handle in self._timers if not handle.cancelled]
        return self._timers

    def turn(self) -> None:
        """Run what was asked for at once, and what that asks for."""
        while self._soon:
            handle = self._soon.pop(0)
            if not handle.cancelled:
                handle.call()

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + seconds
        self.turn()
        while due := [handle for handle in self.timers if handle.when() <= end]:
            handle = min(due, key=Handle.when)
            self._timers.remove(handle)
            self.now = max(self.now, handle.when())
            handle.call()
            self.turn()
        self.now = end


class Unhurried(Turns):
    """Turns of a loop that has all the time there is."""

    def open(self) -> bool:
        return True


SILENT = socket.socket(type=socket.SOCK_DGRAM)


class FakeTransport:
    """Takes *room* bytes more than its peer reads, then says that it is full."""

    def __init__(self, loop: FakeLoop, room: int = 1 << 40) -> None:
        self._loop = loop
        self.room = room
        self.wire = bytearray()
        self.writes: list[tuple[float, bytes]] = []
        self.read = 0
        self.owner: Any = None
        "Told of pause and resume."
        self.paused = False
        self.gone = ""

    def write(self, data: bytes) -> None:
        assert not self.gone, "a write behind the end"
        self.wire += data
        self.writes.append((self._loop.time(), bytes(data)))
        self._tell()

    def get_write_buffer_size(self) -> int:
        return max(0, len(self.wire) - self.read - self.room)

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """It knows its limits."""

    def get_extra_info(self, name: str, default: object = None) -> object:
        return self if name == "socket" else default

    def setsockopt(self, *words: int) -> None:
        """It is no socket."""

    def fileno(self) -> int:
        """Of a socket that the kernel holds nothing for."""
        return SILENT.fileno()

    def is_closing(self) -> bool:
        return bool(self.gone)

    def close(self) -> None:
        self.gone = self.gone or "closed"

    def abort(self) -> None:
        self.gone = "aborted"

    def peer_reads(self, size: int = 1 << 40) -> None:
        self.read = min(len(self.wire), self.read + size)
        self._tell()

    def _tell(self) -> None:
        full = self.get_write_buffer_size() > 0
        if full != self.paused:
            self.paused = full
            (self.owner.pause_writing if full else self.owner.resume_writing)()


async def until(condition: Callable[[], object], what: str = "") -> None:
    """Wait for something that can only be asked for, 10 s at most."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.005)
