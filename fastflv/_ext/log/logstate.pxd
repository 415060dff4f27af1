"""A log as plain values: what the states of its past share."""

from fastflv._ext.log.page cimport Page

cdef enum:
    ROW_BYTES = 14             # of the index: size, time in two halves, kind, flags; big-endian


cdef bytes page_index(const Page* page)
cdef object page_view(Page* page)
