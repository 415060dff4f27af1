"""A log as plain values: what the states of its past share."""

from libc.stdint cimport int64_t, uint8_t

from fastflv._ext.log.page cimport Page

cdef enum:
    ROW_BYTES = 14             # of the index: size, time in two halves, kind, flags; big-endian


cdef bytes page_index(const Page* page)
cdef object page_view(Page* page)
cdef bint is_time(int64_t dts_ms) noexcept
cdef int64_t row_ms(const uint8_t* row) noexcept
