"""Sockets of RTMP publishers, read many in one call, without a Python step for media.

An event loop that reads each socket by itself pays some 20 us of Python for a read of some KB. Here a read costs its
`recv`, its chunks and its tags. The owner of a feed is called for what is no media, and where a stream changes.

Spec: RTMP 1.0, 5.3 (chunks).
"""

cimport cython
from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int64_t, uint8_t
from posix.unistd cimport close

from fastflv._ext.core.sockets cimport (
    EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLIN, EPOLLRDHUP, F_DUPFD_CLOEXEC, MSG_DONTWAIT, clock_us,
    epoll_create1, epoll_ctl, epoll_event, epoll_wait, fcntl, recv,
)
from fastflv._ext.ingest.chunkread cimport ChunkReader
from fastflv._ext.ingest.inlet cimport Inlet
from fastflv._ext.ingest.lowwater cimport LowWater
from fastflv._ext.ingest.readpace cimport ReadPace
from fastflv._ext.log.waker cimport hold_wakes, release_wakes

import logging
import os

from fastflv import limits

logger = logging.getLogger(__name__)

cdef enum:
    ROWS = 128                 # feeds read in one turn at most, count; above, `turn` asks to be called again

cdef int64_t TURN_US = <int64_t>(limits.TURN_SECONDS * 1e6)


@cython.final
cdef class Feeds:
    """The feeds of one event loop. It watches `fd` for input and calls `turn` then.

    *view*: a writable buffer that nobody uses between two calls.
    """

    def __cinit__(self, view not None):
        cdef Py_buffer buffer
        self.rows = {}
        self.view = view
        PyObject_GetBuffer(view, &buffer, PyBUF_WRITABLE)
        # `view` itself keeps the memory.
        self.buffer = <uint8_t*>buffer.buf
        self.size = buffer.len
        PyBuffer_Release(&buffer)
        self.poll = epoll_create1(EPOLL_CLOEXEC)
        if self.poll < 0:
            raise OSError(errno, os.strerror(errno))

    def __dealloc__(self):
        if self.poll >= 0:
            close(self.poll)

    @property
    def fd(self):
        """Readable while some feed has input; -1 once closed."""
        return self.poll

    @property
    def count(self):
        """Feeds that are read."""
        return len(self.rows)

    def turn(self, int64_t now_ms):
        """Read the feeds that have input, each for READ_SECONDS at most.

        Return how many had some, and whether more may be there.

        *now_ms*: monotonic clock of the owner's loop. A turn takes TURN_SECONDS, and the time of one read more at most.
        Feeds left over are the first of the next turn. A turn within a turn reads nothing.
        """
        cdef epoll_event events[ROWS]
        cdef int64_t ends = clock_us() + TURN_US
        cdef int found, i
        cdef bint more
        cdef Feed feed
        if self.poll < 0 or self.turning:
            return 0, False
        self.turning = True
        hold_wakes()
        found = max(epoll_wait(self.poll, events, ROWS, 0), 0)
        more = found == ROWS
        try:
            for i in range(found):
                # A feed before it may have closed it.
                feed = self.rows.get(events[i].data.fd)
                if feed is None:
                    continue
                try:
                    more = feed.read(now_ms) or more
                except Exception as error:
                    feed.fail(error)
                if clock_us() > ends:
                    more = True
                    break
        finally:
            self.turning = False
            release_wakes()
        return found, more

    def close(self):
        """Read nothing any more. Feeds stay with their owners, which close them."""
        self.rows.clear()
        if self.poll >= 0:
            close(self.poll)
            self.poll = -1


@cython.final
cdef class Feed:
    """One socket whose bytes are the chunks of one publish. It reads between `resume` and `pause`; close it at the end.

    *fd* is duplicated: the owner's transport may close its own at any time. Media goes from *reader* to the inlet
    given to `begin`. *owner* is called in these cases:

    - `feed_message(view, at)`: the reader shows a message that is no media; feed on from *at*.
    - `feed_due()`: `due` bytes were received, the tracks are not known yet, or have changed, or the publisher is on
      standby.
    - `feed_ended()`: the peer has closed, or the socket has failed; the feed is paused then.
    - `feed_failed(error)`: the bytes are wrong, or a call before has failed; likewise.

    Raises OSError when there is no descriptor left.
    """

    def __cinit__(self, Feeds feeds not None, int fd, ChunkReader reader not None, owner):
        self.fd = -1
        self.feeds = feeds
        self.reader = reader
        self.owner = owner
        self.pace = ReadPace()
        self.due = <uint64_t>-1
        self.fd = fcntl(fd, F_DUPFD_CLOEXEC, 0)
        if self.fd < 0:
            raise OSError(errno, os.strerror(errno))
        self.low_water = LowWater(self.fd)

    def __dealloc__(self):
        if self.fd >= 0:
            close(self.fd)

    @property
    def begun(self):
        """It knows its inlet, and is not closed."""
        return self.inlet is not None and self.fd >= 0

    def begin(self, Inlet inlet not None):
        """Media belongs to *inlet*, the sink that the reader has for it."""
        self.inlet = inlet
        self.formats = inlet.formats_now()

    def resume(self):
        """Read the socket, once it has `begun`. Raises OSError when the kernel watches no more."""
        cdef epoll_event event
        if self.reading or not self.begun or self.feeds.poll < 0:
            return
        event.events = EPOLLIN | EPOLLRDHUP
        event.data.fd = self.fd
        if epoll_ctl(self.feeds.poll, EPOLL_CTL_ADD, self.fd, &event):
            raise OSError(errno, os.strerror(errno))
        self.feeds.rows[self.fd] = self
        self.reading = True

    def pause(self):
        """Leave the socket alone until `resume`."""
        if self.reading:
            self.reading = False
            self.feeds.rows.pop(self.fd, None)
            epoll_ctl(self.feeds.poll, EPOLL_CTL_DEL, self.fd, NULL)

    def close(self):
        """Stop for good. No harm when it is closed."""
        self.pause()
        self.owner = None
        self.inlet = None
        if self.fd >= 0:
            self.low_water.forget()
            close(self.fd)
            self.fd = -1

    cdef bint read(self, int64_t now_ms) except -1:
        """Read what is there, as long as the pace allows; return whether more may be there."""
        cdef int64_t began
        cdef Py_ssize_t room, size
        cdef bint gives_way
        while self.reading:
            began = clock_us()
            room = min(self.pace.room, self.feeds.size)
            size = recv(self.fd, self.feeds.buffer, room, MSG_DONTWAIT)
            if size <= 0:
                if size == 0 or not (errno == EAGAIN or errno == EINTR):
                    self.pause()
                    self.owner.feed_ended()
                return False
            self.take(size, now_ms)
            gives_way = self.pace.spent(size, began * 1e-6, clock_us() * 1e-6)
            if size < room:
                return False
            if gives_way:
                return True
        return False

    cdef int fail(self, error) except -1:
        """Tell the owner what its peer, or it itself, did wrong. The other feeds go on whatever it does then."""
        owner = self.owner
        self.pause()
        if owner is None:
            logger.error("the owner of a feed failed when it had closed it", exc_info=error)
            return 0
        try:
            owner.feed_failed(error)
        except Exception:
            logger.exception("the owner of a feed failed at its end")
        return 0

    cdef int take(self, Py_ssize_t size, int64_t now_ms) except -1:
        cdef Py_ssize_t used
        cdef uint64_t formats
        self.inlet.begin_read(now_ms)
        used = self.reader.take(self.feeds.buffer, size, 0)
        if self.reader.message is not None:
            self.owner.feed_message(self.feeds.view[:size], used)
            return 0
        self.inlet.end_read()
        self.low_water.end_read(self.reader.is_inside())
        formats = self.inlet.formats_now()
        if not self.inlet.is_quiet() or formats != self.formats or self.reader.received >= self.due:
            self.formats = formats
            self.owner.feed_due()
        return 0
