"""A publisher wakes its reader no more often than its players need: its socket gathers bytes first.

Wake-ups are most of what many publishers cost. Nobody watches: the socket gathers part of a second of media. Somebody
does: players are sent sound with the next picture, so sound alone wakes nobody, and each picture does.

Nothing is lost: the first player of the stream, silence, and the end of the connection make the socket eager again.
"""

cimport cython
from libc.stdint cimport int64_t

from fastflv._ext.core.sockets cimport SO_RCVLOWAT, SOL_SOCKET, setsockopt

from fastflv import limits

cdef int64_t LOOKS = limits.LOW_WATER_LOOKS
cdef int64_t GROWTH = limits.LOW_WATER_GROWTH
cdef int64_t BYTES_MIN = limits.LOW_WATER_BYTES_MIN
cdef int64_t BYTES_MAX = limits.LOW_WATER_BYTES_MAX
cdef double ALONE_SHARE = limits.LOW_WATER_ALONE_SECONDS / limits.LOW_WATER_SECONDS
cdef double GATHER_SHARE = limits.LOW_WATER_GATHER_SECONDS / limits.LOW_WATER_SECONDS
cdef double SOUND_SHARE = limits.LOW_WATER_SOUND_SECONDS / limits.LOW_WATER_SECONDS


@cython.final
cdef class LowWater:
    """The receive low-water mark (SO_RCVLOWAT, socket(7)) of one publisher.

    *fd*: borrowed; it must stay open until `forget`.
    """

    def __cinit__(self, int fd):
        self.fd = fd
        self.wanted = self.mark = 1
        self.received = -1

    def look(self, int64_t received, bint alone):
        """Nobody watches: choose the mark anew. Call this or `look_watched` every LOW_WATER_SECONDS.

        *received*: bytes of media so far. *alone*: nobody reads by a clock of their own either.
        """
        cdef int64_t fresh = self.fresh(received)
        self.parted = False
        if fresh:
            # A keyframe comes with some looks and not with others; silence counts at once.
            self.mean = self.mean + (fresh - self.mean) // LOOKS if self.mean else fresh
            fresh = self.mean
        self.want(min(<int64_t>(fresh * (ALONE_SHARE if alone else GATHER_SHARE)), BYTES_MAX))

    def look_watched(self, int64_t received, int64_t sound, int64_t picture):
        """Somebody watches: choose the mark anew.

        *received*, *sound*: bytes of all media and of sound so far. *picture*: the smallest picture since the last
        look, bytes; 0 without one.
        """
        cdef int64_t fresh = self.fresh(received)
        cdef int64_t fresh_sound = sound - self.sound
        cdef int64_t mark = 1
        self.sound = sound
        if picture:
            self.least = min(picture, self.least + self.least // GROWTH) if self.least else picture
        if fresh and 0 < fresh_sound < fresh:
            # Where pictures are few, sound wakes the reader by itself.
            mark = min(self.least // 2, <int64_t>(fresh_sound * SOUND_SHARE), BYTES_MAX)
        self.want(mark if mark >= BYTES_MIN else 1)
        self.parted = self.wanted > 1

    cpdef void end_read(self, bint inside) noexcept:
        """A read is done; *inside*: it ended within a message."""
        if self.parted:
            self.apply(1 if inside else self.wanted)

    def wake(self):
        """Hand over what is there, and every byte at once, until the next look."""
        self.wanted = 1
        self.parted = False
        # What comes until then, in ten minutes or from another publisher, says nothing of the rate.
        self.received = -1
        self.apply(1)

    def forget(self):
        """Make the socket eager, and leave it alone from now on."""
        self.wake()
        self.fd = -1

    cdef int64_t fresh(self, int64_t received) noexcept:
        """Return the bytes since the last look."""
        cdef int64_t fresh = received - self.received if self.received >= 0 else 0
        self.received = received
        return fresh

    cdef void want(self, int64_t mark) noexcept:
        mark = max(mark, <int64_t>1)
        # Small changes are not worth the system call; waking up always is.
        if mark == 1 or not 0.7 < <double>mark / self.wanted < 1.5:
            self.wanted = mark
            self.apply(mark)

    cdef void apply(self, int64_t mark) noexcept:
        cdef int value = <int>mark
        if mark != self.mark and self.fd >= 0:
            self.mark = mark
            # The kernel reports at once when the new mark is already reached.
            setsockopt(self.fd, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof(value))
