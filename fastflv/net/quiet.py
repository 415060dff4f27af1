"""Quiet sockets: those of silent peers are watched apart, so that thousands of peers that leave at once hold up nobody.

An event loop reads every socket that has something within one turn, and closes those that ended: 30 us each.
"""

from __future__ import annotations

import asyncio
import errno
import select
from collections import OrderedDict
from collections.abc import Callable
from functools import partial

from fastflv import limits


class QuietSockets:
    """Has the event loop read the sockets that were heard last, and asks for all others some at a time.

    A connection calls `heard` when its peer has sent something and the loop reads on, and `forget` before it stops
    reading by itself or gives its transport away, and when it is over. QUIET_READ_COUNT transports are read by the
    loop. The one heard longest ago is paused then, and its socket stands in a poll of its own, which returns
    QUIET_WAKE_COUNT of those with input or an end in each turn. The loop reads these again.
    """

    __slots__ = ("_closed", "_loop", "_paused", "_poll", "_read", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._read: OrderedDict[asyncio.Transport, None] = OrderedDict()
        "What the loop reads, the one heard last at the end."
        self._waiting: dict[int, Callable[[], None]] = {}
        "What to do about the sockets that the poll watches, by descriptor."
        self._paused: dict[asyncio.Transport, tuple[int, Callable[[], None]]] = {}
        "The entries of transports in `_waiting`."
        self._poll: select.epoll | None = None
        "None before the first socket stands in it."
        self._closed = False

    def heard(self, transport: asyncio.Transport) -> None:
        """The loop reads *transport*, whose peer has sent something or is new."""
        read = self._read
        read[transport] = None
        read.move_to_end(transport)
        if len(read) > limits.QUIET_READ_COUNT:
            self._leave_to_poll(read.popitem(last=False)[0])

    def forget(self, transport: asyncio.Transport) -> None:
        """Leave *transport* to the loop; no harm when it is not watched."""
        self._read.pop(transport, None)
        fd, woken = self._paused.pop(transport, (-1, None))
        # A transport that failed at a write has closed its descriptor, which may be another's by now.
        if woken is not None and self._waiting.get(fd) is woken:
            del self._waiting[fd]
            self._read_on(fd, transport)

    def watch(self, fd: int, readable: Callable[[], None]) -> None:
        """Call *readable* once, when the socket *fd*, which the loop does not read, has input or an end.

        Raises OSError when the kernel has no room for more, and after `close`.
        """
        if self._closed:
            raise OSError(errno.ESHUTDOWN, "the server stops")
        self._register(fd)
        self._waiting[fd] = readable

    def drop(self, fd: int) -> None:
        """Take back a `watch`, before *fd* is closed; no harm when it was called."""
        if self._waiting.pop(fd, None) is not None and self._poll is not None:
            self._poll.unregister(fd)

    def close(self) -> None:
        """Leave all sockets to the loop, and watch none any more."""
        self._closed = True
        poll, self._poll = self._poll, None
        if poll is not None:
            self._loop.remove_reader(poll.fileno())
            poll.close()
        self._read.clear()
        for transport in list(self._paused):
            self.forget(transport)

    def _leave_to_poll(self, transport: asyncio.Transport) -> None:
        # A transport over TLS reads its socket also while it is paused.
        if self._closed or transport.is_closing() or transport.get_extra_info("sslcontext") is not None:
            return
        fd = int(transport.get_extra_info("socket").fileno())
        try:
            self._register(fd)
        except OSError:
            # The kernel has no room for more: the loop reads it as before.
            return
        transport.pause_reading()
        woken = self._waiting[fd] = partial(self._woken, fd, transport)
        self._paused[transport] = (fd, woken)

    def _register(self, fd: int) -> None:
        if self._poll is None:
            self._poll = select.epoll()
            self._loop.add_reader(self._poll.fileno(), self._wake)
        # Once: a duplicate may keep a socket whose descriptor is closed, and there is no way to take that out.
        self._poll.register(fd, select.EPOLLIN | select.EPOLLRDHUP | select.EPOLLONESHOT)

    def _wake(self) -> None:
        if self._poll is None:
            return
        for fd, _ in self._poll.poll(0, limits.QUIET_WAKE_COUNT):
            woken = self._waiting.get(fd)
            if woken is not None:
                woken()

    def _woken(self, fd: int, transport: asyncio.Transport) -> None:
        del self._paused[transport]
        del self._waiting[fd]
        self._read_on(fd, transport)

    def _read_on(self, fd: int, transport: asyncio.Transport) -> None:
        if transport.is_closing():
            return
        if self._poll is not None:
            self._poll.unregister(fd)
        transport.resume_reading()
