"""The merge window that a load asks for. See window.pyx."""

from libc.stdint cimport int32_t, int64_t


cdef struct Load:
    # How busy one thread is. Belongs to it.
    int64_t since_us           # clock of the last look
    int64_t busy_us            # worked since then
    int32_t level              # index of the present window
    int32_t calm               # looks in a row after which a shorter window would have done
    int64_t window_us          # that follows from it; atomic, relaxed: the event loop may ask


cdef bint load_look(Load* load, int64_t now) noexcept nogil
