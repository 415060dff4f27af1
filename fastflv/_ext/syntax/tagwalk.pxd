"""The tags of an FLV file: where a walk stands between two blocks."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum WalkState:
    WALK_MARK = 0        # stands behind a tag that is worth a note
    WALK_MORE = 1        # the file has bytes at `position` that the block does not have
    WALK_END = 2         # the last tag ends where the file ends
    WALK_TORN = 3        # the file ends within a tag
    WALK_BROKEN = 4      # what stands at `position` is no tag
    WALK_STOP = 5        # the frame at `position` is at or behind `stop_ms`

cdef struct Mark:
    int64_t offset       # of the tag, bytes from the begin of the file
    int64_t time_ms      # unwrapped
    uint32_t size        # of the whole tag with its back pointer, bytes
    uint8_t kind         # TAG_*
    uint8_t flags        # TagTraits.flags
    uint8_t track        # TagTraits.track


cdef class TagWalk:
    cdef readonly int64_t size
    cdef public int64_t position
    cdef public int64_t time_ms
    cdef readonly int64_t first_ms
    cdef readonly bint has_audio
    cdef readonly bint has_video
    cdef public bint scripts
    cdef public int64_t audio_step_ms
    cdef public int64_t stop_ms
    cdef WalkState state_now
    cdef int64_t last          # offset of the tag before `position`, where one was passed
    cdef uint32_t last_size    # of that tag with its back pointer, bytes
    cdef int64_t audio_ms      # time of the newest audio tag that was noted

    cdef bint is_damaged(self, const uint8_t* block, int64_t begin) noexcept nogil
    cdef WalkState step(self, const uint8_t* block, int64_t begin, Py_ssize_t n, Mark* mark) noexcept nogil
