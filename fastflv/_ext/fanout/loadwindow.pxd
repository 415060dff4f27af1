"""The merge window that a load asks for. See loadwindow.pyx."""

from libc.stdint cimport int32_t, int64_t


cdef struct Load:
    # Load of one thread, to which it belongs.
    int64_t since_us           # clock of the last look
    int64_t busy_us            # busy since then
    int32_t level              # index of the present window
    int32_t calm               # looks in a row at which a shorter window would have been enough
    int64_t window_us          # the present window; atomic, relaxed: the event loop reads it


cdef bint load_look(Load* load, int64_t now) noexcept nogil
