"""The past of a log, for Python and for what reads it. See timeshift.pxd."""

from libc.stdint cimport int64_t

from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page


cdef Page* kept_page(const Log* log, int64_t position) noexcept nogil
