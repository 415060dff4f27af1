"""A stream as a log: pages of ready-to-send bytes, an index of tags, a published head.

Threads: one writer, the event loop. Readers on other threads load `head` (acquire) and read the list of pages under
`lock`. A reader pins a page by a reference before it uses it outside the lock. Bytes and index entries below the
published head never change.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.core.pthreads cimport pthread_mutex_t
from fastflv._ext.log.block cimport Block
from fastflv._ext.log.floor cimport Floor
from fastflv._ext.log.page cimport Page
from fastflv._ext.log.rate cimport Rate
from fastflv._ext.log.timeshift cimport Timeshift
from fastflv._ext.log.waker cimport Waker, Wakers


cdef struct Log:
    int32_t refs           # atomic
    int32_t ended          # atomic; 1: no more bytes will come
    int64_t head           # log position behind the newest published byte (atomic)
    int64_t head_dts       # ms, of the newest published tag (atomic)
    int64_t key_pos        # log position of the newest keyframe a player may start from, -1: none (atomic)
    int64_t version        # changes with the list of pages (atomic)
    int64_t epoch_pos      # log position where the present epoch begins; readers from before it end there (atomic)
    int32_t has_video      # atomic; 1: players start at a keyframe
    int32_t readers        # atomic; cursors that follow this log
    int32_t moving         # atomic; players on their way to a thread or back, whose floor is not among `floors`
    int64_t bytes_per_second  # as of the newest page, 0: not known yet (atomic)
    # Writes the bytes that a reader needs before an entry when pictures before it were left out; NULL: none are needed.
    # Writes at most `bridge_bytes` at *out* and returns how many. Constant once readers are there.
    uint32_t (*bridge)(const uint8_t* entry, uint32_t size, uint8_t* out) noexcept nogil
    uint32_t bridge_bytes
    pthread_mutex_t lock   # guards what follows
    Page** pages           # owned array of references, oldest first
    int32_t first          # index of the oldest
    int32_t count
    int32_t room
    Wakers wakers
    Floor* floors          # list of borrowed pointers: a reader adds its own, and removes it
    Block* key_block       # referenced: headers that belong before the tag at key_pos
    # Writer only:
    int64_t written        # log position behind the newest byte, published or not
    int64_t written_dts
    int64_t epoch_ms       # stream time that players are told as 0, ms
    int64_t pending_key    # keyframe written since the last publish, -1: none
    Block* pending_block   # referenced: headers for it
    int64_t key_bytes_max  # a GOP above this many bytes is not offered to players any more
    int32_t key_tags_max   # likewise in tags of video
    int32_t key_tags       # video tags since the keyframe
    int64_t history_ms     # kept for readers that lag, as far back as one of them reads
    int64_t history_bytes  # likewise
    int64_t kept_bytes     # capacity of all pages in the list
    int64_t keep_ms        # history kept whoever reads
    int64_t key_wait_ms    # a reader waits for a keyframe this long
    int32_t keep_gop       # 0: no GOP cache
    uint32_t page_bytes    # least size of the newest page
    Rate rate
    Timeshift* past        # owned; pages that left the list above, NULL: they are freed


cdef inline bint has_start(const Log* log) noexcept nogil:
    """Return whether a keyframe is a start for players, published or not. Writer's thread only."""
    return log.pending_key >= 0 or load_relaxed(&log.key_pos) >= 0


cdef inline int64_t told_ms(const Log* log, int64_t dts_ms) noexcept nogil:
    """Return the time that players are told for a stream time, ms."""
    return max(dts_ms - log.epoch_ms, <int64_t>0)


cdef inline Page* last_page(Log* log) noexcept nogil:
    """Return the newest page, NULL without one. Writer's thread only."""
    return log.pages[log.first + log.count - 1] if log.count else NULL


cdef Log* log_new() noexcept nogil
cdef void log_hold(Log* log) noexcept nogil
cdef void log_drop(Log* log) noexcept nogil
cdef int log_add_waker(Log* log, Waker* waker) noexcept nogil
cdef void log_remove_waker(Log* log, Waker* waker) noexcept nogil
cdef void log_add_floor(Log* log, Floor* floor) noexcept nogil
cdef void log_remove_floor(Log* log, Floor* floor) noexcept nogil
cdef uint8_t* log_reserve(Log* log, uint32_t size) noexcept nogil
cdef void log_commit(Log* log, uint32_t size, int64_t dts_ms, uint8_t kind, uint8_t flags) noexcept nogil
cdef void log_mark_key(Log* log, int64_t position, Block* block) noexcept nogil
cdef void log_begin_epoch(Log* log, int64_t epoch_ms) noexcept nogil
cdef void log_publish(Log* log, bint urgent) noexcept nogil
cdef void log_end(Log* log) noexcept nogil
cdef void log_forget_key(Log* log) noexcept nogil
cdef void log_forget_rate(Log* log) noexcept nogil
cdef void log_trim(Log* log) noexcept nogil
