"""Waking the readers of a log: an eventfd for each thread, written only when the thread needs it.

Dekker's pattern: a reader stores `idle`, fences, and loads the head once more before it sleeps (fanout/group.pyx). The
writer stores the head, fences, and loads `idle`. At least one of them sees the other's store.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport realloc
from posix.unistd cimport write

from fastflv._ext.core.atomics cimport exchange32, load32_relaxed


cdef int add_waker(Wakers* wakers, Waker* waker) noexcept nogil:
    """Add a reader's waker, which stays the reader's; -1 without memory."""
    cdef Waker** grown
    if wakers.count == wakers.room:
        grown = <Waker**>realloc(wakers.rows, (wakers.room + 4) * sizeof(Waker*))
        if grown == NULL:
            return -1
        wakers.rows = grown
        wakers.room += 4
    wakers.rows[wakers.count] = waker
    wakers.count += 1
    return 0


cdef void remove_waker(Wakers* wakers, Waker* waker) noexcept nogil:
    cdef int32_t i
    for i in range(wakers.count):
        if wakers.rows[i] == waker:
            wakers.count -= 1
            wakers.rows[i] = wakers.rows[wakers.count]
            return


cdef void wake_readers(Wakers* wakers, bint urgent, bint ended) noexcept nogil:
    """Wake the readers that sleep; with *urgent* also those that are awake and do not merge; with *ended* all."""
    cdef int32_t i
    cdef Waker* waker
    cdef uint64_t one = 1
    for i in range(wakers.count):
        waker = wakers.rows[i]
        if not (ended or load32_relaxed(&waker.idle) or (urgent and not load32_relaxed(&waker.merges))):
            continue
        if exchange32(&waker.due, 1) == 0:
            write(waker.fd, &one, sizeof(one))
