"""How readers of a log are told that there is something new. See waker.pyx."""

from libc.stdint cimport int32_t


cdef struct Waker:
    # What a reader leaves with the log to be told of new bytes. Owned by the reader.
    int32_t idle           # atomic; 1: wake me for anything new
    int32_t due            # atomic; 1: woken and not yet looked
    int32_t merges         # atomic; 1: looks by the clock while it is awake
    int fd                 # eventfd of the reader's thread


cdef struct Wakers:
    # Those of one log; guarded by its lock.
    Waker** rows           # owned array of borrowed pointers
    int32_t count
    int32_t room


cdef int add_waker(Wakers* wakers, Waker* waker) noexcept nogil
cdef void remove_waker(Wakers* wakers, Waker* waker) noexcept nogil
cdef void wake_readers(Wakers* wakers, bint urgent, bint ended) noexcept nogil
