"""A log for Python and for muxers. Belongs to the writer's thread, the event loop."""

from libc.stdint cimport int64_t

from fastflv._ext.log.log cimport Log


cdef class MediaLog:
    cdef Log* log              # referenced
    cdef tuple followers       # of Follower
    # The last piece that a Cursor returned, for the next one at the same position.
    cdef bytes shared
    cdef int64_t shared_pos
    cdef int64_t shared_stop
    cdef int shared_framing

    cdef int publish(self, bint urgent) except -1
