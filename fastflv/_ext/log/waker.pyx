"""Waking the readers of a log: an eventfd for each thread, written only when the thread needs it.

Dekker's pattern: a reader stores `idle`, fences, and loads the head once more before it sleeps (fanout/group.pyx). The
writer stores the head, fences, and loads `idle`. At least one of them sees the other's store.
"""

from libc.stdint cimport int32_t, uint64_t
from libc.stdlib cimport realloc
from posix.unistd cimport write

from fastflv._ext.core.atomics cimport exchange32, load32_relaxed

cdef enum:
    HELD = 16                  # threads whose wake-up waits, count; those of others are not held

cdef extern from * nogil:
    """
    static __thread struct { int holding, count, fds[16]; } ff_wakes;
    """
    struct Wakes "ff_wakes":
        int holding
        int count
        int fds[HELD]
    Wakes wakes "ff_wakes"     # of the calling thread; descriptors are borrowed until `release_wakes`


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
        if exchange32(&waker.due, 1) == 0 and not hold(waker.fd):
            write(waker.fd, &one, sizeof(one))


cdef bint hold(int fd) noexcept nogil:
    """Keep a wake-up for `release_wakes`; False where it has to be written now."""
    cdef int i
    if not wakes.holding:
        return False
    for i in range(wakes.count):
        if wakes.fds[i] == fd:
            return True
    if wakes.count == HELD:
        return False
    wakes.fds[wakes.count] = fd
    wakes.count += 1
    return True


cdef void hold_wakes() noexcept nogil:
    """Have the calling thread wake readers no earlier than with `release_wakes`, each thread of theirs once.

    For a writer of many logs: on one core, a reader that is woken by the first log runs before the second is written.
    """
    wakes.holding = 1


cdef void release_wakes() noexcept nogil:
    cdef int i
    cdef uint64_t one = 1
    wakes.holding = 0
    for i in range(wakes.count):
        write(wakes.fds[i], &one, sizeof(one))
    wakes.count = 0
