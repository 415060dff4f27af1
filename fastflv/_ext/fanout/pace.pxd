"""Socket options that depend on the rate of the stream. See pace.pyx."""

from libc.stdint cimport int64_t


cdef int64_t pace(int fd, int64_t wanted, int64_t paced) noexcept nogil
cdef void unpace(int fd) noexcept nogil
cdef int keep_unsent(int fd, int64_t rate) noexcept nogil
