"""The merge window that a load asks for. See loadwindow.pyx."""

from libc.stdint cimport int32_t, int64_t


cdef struct Load:
    # Load of one thread, to which it belongs.
    int64_t since_us           # clock of the last look
    int64_t busy_us            # time from waking to sleeping since then
    int64_t own_us             # of that: what it has not waited for its core
    int64_t worked_us          # CPU time of the thread at that look, where it has one to itself
    int32_t level              # index of the present window
    int32_t calm               # looks in a row at which a shorter window would have been enough
    int32_t late               # looks in a row at which it had no sleep, though its own work is small
    int64_t window_us          # the present window; atomic, relaxed: the event loop reads it


cdef bint load_turn(Load* load, int64_t woke, int64_t now) noexcept nogil
