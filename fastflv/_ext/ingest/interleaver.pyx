"""Sound and pictures of one publisher, put into the order of their times.

A merge of two queues: what is ahead of the other kind is held until the other kind has caught up. So all that is held
is of one kind, and messages of one kind never change their order. A kind that is more than HOLD_MS behind, or silent,
is not waited for. SRS's `mix_correct` waits for ten messages of one kind instead.
"""

cimport cython
from libc.stdint cimport int32_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from fastflv._ext.syntax.flvtag cimport TAG_VIDEO

from fastflv import limits

cdef int32_t HOLD_MS = limits.INTERLEAVE_MS
cdef int MESSAGES_MAX = limits.INTERLEAVE_MESSAGES_MAX
cdef Py_ssize_t BYTES_MAX = limits.INTERLEAVE_BYTES_MAX


@cython.final
cdef class Interleaver:
    """For each message call `arrive`, then take `next` until it has no row; then `hold` the message or use it."""

    def __cinit__(self):
        self.rows = <HeldMessage*>calloc(MESSAGES_MAX, sizeof(HeldMessage))
        if self.rows == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self.rows != NULL:
            self.clear()
            free(self.rows)

    cdef bint arrive(self, uint8_t kind, uint32_t timestamp, bint timed, uint32_t size) noexcept:
        """Decide which held messages are due, and return whether this one is to be held behind the others."""
        cdef int own = kind == TAG_VIDEO
        cdef int32_t ahead
        cdef bint wait
        self.due = 0
        if timed:
            if not self.started:
                # The other kind may begin here too: it is waited for.
                self.started = True
                self.heard[1 - own] = timestamp - 1
            self.heard[own] = timestamp
        ahead = <int32_t>(self.heard[own] - self.heard[1 - own])
        wait = self.started and 0 < ahead <= HOLD_MS and size <= BYTES_MAX
        if self.count > 0 and self.rows[self.first].kind != kind:
            while self.due < self.count and <int32_t>(self.row(self.due).time - self.heard[own]) <= 0:
                self.due += 1
            return wait and self.due == self.count
        if not wait or self.count == MESSAGES_MAX or self.bytes + size > BYTES_MAX:
            self.due = self.count
        return wait

    cdef int hold(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1:
        """Keep a copy of a message for which `arrive` has returned True."""
        cdef HeldMessage* row = self.row(self.count)
        row.body = <uint8_t*>malloc(size)
        if row.body == NULL:
            raise MemoryError
        memcpy(row.body, body, size)
        row.size = size
        row.timestamp = timestamp
        row.time = self.heard[kind == TAG_VIDEO]
        row.kind = kind
        self.count += 1
        self.bytes += size
        return 0

    cdef HeldMessage next(self) noexcept:
        """Return the oldest message that is due, whose body the caller frees; without a body there is none."""
        cdef HeldMessage found
        if self.due == 0:
            memset(&found, 0, sizeof(found))
            return found
        found = self.rows[self.first]
        self.first = (self.first + 1) % MESSAGES_MAX
        self.count -= 1
        self.due -= 1
        self.bytes -= found.size
        return found

    cdef void release(self) noexcept:
        """Have all that is held be due."""
        self.due = self.count

    cdef void clear(self) noexcept:
        """Begin with another publisher."""
        self.release()
        while self.due > 0:
            free(self.next().body)
        self.started = False

    cdef inline HeldMessage* row(self, int index) noexcept:
        return &self.rows[(self.first + index) % MESSAGES_MAX]
