"""Memory that goes back to the system. Threads: all; one lock of the process guards it."""

from libc.stddef cimport size_t


cdef void* arena_take(size_t size, size_t* whole) noexcept nogil
cdef void arena_give(void* room, size_t whole) noexcept nogil
