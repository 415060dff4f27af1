"""The past of a log: pages that left its list of pages, and the places where a player may start in them.

Belongs to the writer's thread, the event loop. Pages are the very pages that players were sent, kept by reference.
"""

from libc.stdint cimport int32_t, int64_t

from fastflv._ext.log.block cimport Block
from fastflv._ext.log.page cimport Page


cdef struct Place:
    # A tag that a player may start with: a keyframe, or any tag of a stream without video.
    int64_t position       # in the log
    int64_t dts_ms
    int64_t wall_ms        # Unix time at which it was written, ms
    Block* headers         # referenced; what belongs before it, NULL until the writer gives it
    bint audio             # the stream has audio there
    bint video             # the tag is a keyframe


cdef struct Timeshift:
    int64_t window_ms      # how far the past goes back, ms
    int64_t bytes_max      # bound of `bytes`
    int64_t bytes          # capacity of the pages here, and the headers of the places
    Page** pages           # owned array of references, oldest first; each begins where the one before ends
    int32_t first
    int32_t count
    int32_t room
    Place* places          # owned array, oldest first; positions rise
    int32_t place_first
    int32_t place_count
    int32_t place_room


cdef Timeshift* timeshift_new() noexcept nogil
cdef void timeshift_free(Timeshift* past) noexcept nogil
cdef void timeshift_mark(Timeshift* past, int64_t position, int64_t dts_ms, bint audio, bint video) noexcept nogil
cdef void timeshift_give_headers(Timeshift* past, Block* headers, int64_t head_dts) noexcept nogil
cdef void timeshift_replace_headers(Timeshift* past, Block* headers) noexcept nogil
cdef void timeshift_take(Timeshift* past, Page* page, int64_t head_dts) noexcept nogil
cdef bint timeshift_give(Timeshift* past, Page* page, int64_t head_dts) noexcept nogil
cdef void timeshift_prune(Timeshift* past, int64_t head_dts) noexcept nogil
cdef bint timeshift_exchange(Timeshift* past, Page* old, Page* new) noexcept nogil
cdef Page* timeshift_page(const Timeshift* past, int64_t position) noexcept nogil
cdef int32_t place_before(const Timeshift* past, int64_t dts_ms) noexcept nogil
cdef Place* place_at(const Timeshift* past, int64_t position) noexcept nogil
