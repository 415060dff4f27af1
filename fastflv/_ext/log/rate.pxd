"""The rate of a stream, by the pages that it filled."""

from libc.stdint cimport int64_t

from fastflv._ext.log.page cimport Page


cdef struct Rate:
    # Sums over the pages so far, each of which counts less the older it is. Writer only.
    int64_t bytes
    int64_t tags
    int64_t ms
    int64_t until          # time of the last tag that is counted, ms


cdef void rate_add(Rate* rate, const Page* page) noexcept nogil
cdef int64_t rate_now(const Rate* rate, const Page* page) noexcept nogil
