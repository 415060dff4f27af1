"""Views: how readers on other threads pin the pages of a log."""

from libc.stdint cimport int32_t, int64_t

from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page


cdef struct View:
    # A reader's copy of the list of pages, each pinned by a reference.
    int64_t version        # of the list, Log.version
    Page** pages           # owned array of references, oldest first
    int32_t count
    int32_t room


cdef void view_clear(View* view) noexcept nogil
cdef Page* view_find(const View* view, int64_t position) noexcept nogil
cdef int view_refresh(View* view, Log* log) noexcept nogil
