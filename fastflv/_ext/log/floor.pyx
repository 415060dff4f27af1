"""How far back a log is still read: below the lowest floor of its readers no history is kept.

A floor may be lower than its reader is. It is lowered, or rises above a reader, only where something else keeps the
history meanwhile: the count of players that are `moving` (log.pxd). The writer reads that before the floors and behind
them.
"""

from libc.stdint cimport INT64_MAX, int64_t

from fastflv._ext.core.atomics cimport load_acquire


cdef void add_floor(Floor** floors, Floor* floor) noexcept nogil:
    floor.next = floors[0]
    floors[0] = floor


cdef void remove_floor(Floor** floors, Floor* floor) noexcept nogil:
    cdef Floor** link = floors
    while link[0] != floor:
        link = &link[0].next
    link[0] = floor.next


cdef int64_t lowest_floor(const Floor* floors) noexcept nogil:
    """Return the position that the slowest reader needs next; without readers none is needed, INT64_MAX."""
    cdef int64_t low = INT64_MAX
    while floors != NULL:
        # Pairs with the release in `raise_floor`: who sees a floor that rose above a reader sees that this one moves.
        low = min(low, load_acquire(&floors.pos))
        floors = floors.next
    return low
