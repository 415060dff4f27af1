"""New settings for the players of one log in one thread. See change.pyx."""

from libc.stdint cimport int64_t

from fastflv._ext.fanout.group cimport Group
from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.log.log cimport Log


cdef struct Change:
    # Owned by the inbox of a thread, and then by the thread, which frees it.
    Log* log                   # referenced
    int64_t window_us          # merge window; below 0 it follows the load of the thread
    int64_t drop_ms            # as in PlayerState and Thinning
    int64_t jump_ms
    int64_t close_ms
    int64_t pace_percent
    Change* next


cdef int post_change(Change** inbox, const Change* change) noexcept nogil
cdef void free_changes(Change* changes) noexcept nogil
cdef void change_player(PlayerState* p, const Change* change) noexcept nogil
cdef void change_group(Group* g, const Change* change, int64_t load_window_us, int64_t now) noexcept nogil
