"""The receive low-water mark of a publisher's socket."""

from libc.stdint cimport int64_t


cdef class LowWater:
    cdef int fd                # borrowed; -1 once forgotten
    cdef int64_t wanted        # mark between two messages, bytes
    cdef readonly int64_t mark  # what the socket has, bytes
    cdef bint parted           # somebody watches: the rest of a message that was read in part is read as it comes
    cdef int64_t received      # bytes of media at the last look, -1: none yet
    cdef int64_t mean          # bytes that come between two looks, over the last ones
    cdef int64_t sound         # bytes of sound at the last look
    cdef int64_t least         # pictures are hardly smaller than this, bytes; 0: not known

    cpdef void end_read(self, bint inside) noexcept
    cdef int64_t fresh(self, int64_t received) noexcept
    cdef void want(self, int64_t mark) noexcept
    cdef void apply(self, int64_t mark) noexcept
