"""The past of a log, for Python and for what reads it. See timeshift.pxd."""

from libc.stdint cimport int32_t, int64_t

from fastflv._ext.log.log cimport Log
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page


cdef class Past:
    cdef readonly MediaLog log

    cdef int32_t count(self) noexcept
    cdef int32_t first(self) noexcept
    cdef object spot(self, int32_t i)


cdef Page* kept_page(const Log* log, int64_t position) noexcept nogil
