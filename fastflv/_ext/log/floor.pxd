"""How far back a log is still read. See floor.pyx."""

from libc.stdint cimport int64_t


cdef struct Floor:
    # Belongs to a reader, and is linked to its log under the lock of that.
    int64_t pos            # log position below which the reader needs nothing (atomic; release where it rises)
    Floor* next


cdef void add_floor(Floor** floors, Floor* floor) noexcept nogil
cdef void remove_floor(Floor** floors, Floor* floor) noexcept nogil
cdef int64_t lowest_floor(const Floor* floors) noexcept nogil
