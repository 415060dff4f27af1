"""Waking the readers of a log. See waker.pyx."""

from libc.stdint cimport int32_t


cdef struct Waker:
    # Registered with a log by a reader, which owns it.
    int32_t idle           # atomic, relaxed with fences (waker.pyx); 1: the reader sleeps until it is woken
    int32_t due            # atomic exchange; 1: woken, and the reader has not looked since
    int32_t merges         # atomic, relaxed; 1: the reader has a merge window and looks by the clock while awake
    int fd                 # borrowed: eventfd of the reader's thread


cdef struct Wakers:
    # The wakers of one log; guarded by its lock.
    Waker** rows           # owned array of borrowed pointers
    int32_t count
    int32_t room


cdef int add_waker(Wakers* wakers, Waker* waker) noexcept nogil
cdef void remove_waker(Wakers* wakers, Waker* waker) noexcept nogil
cdef void wake_readers(Wakers* wakers, bint urgent, bint ended) noexcept nogil
cdef void hold_wakes() noexcept nogil
cdef void release_wakes() noexcept nogil
