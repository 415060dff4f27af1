"""Sound and pictures put into the order of their times. See interleaver.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef struct HeldMessage:
    uint8_t* body              # owned by whoever has the row; NULL: no row
    uint32_t size              # of the body, bytes
    uint32_t timestamp         # as the publisher sent it, ms modulo 2**32
    uint32_t time              # by which it is ordered, ms modulo 2**32
    uint8_t kind               # TAG_AUDIO or TAG_VIDEO


cdef class Interleaver:
    cdef HeldMessage* rows     # owned; ring of MESSAGES_MAX rows, all of one kind, the oldest at `first`
    cdef int first
    cdef int count
    cdef int due               # rows at `first` that nothing is waited for with
    cdef int64_t bytes         # of the bodies held
    cdef uint32_t heard[2]     # newest time of audio, of video, ms modulo 2**32
    cdef bint started          # some frame was heard

    # timed: of a frame; sequence headers and commands have the time of the frame before.
    cdef bint arrive(self, uint8_t kind, uint32_t timestamp, bint timed, uint32_t size) noexcept
    cdef int hold(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1
    cdef HeldMessage next(self) noexcept
    cdef void release(self) noexcept
    cdef void clear(self) noexcept
    cdef HeldMessage* row(self, int index) noexcept
