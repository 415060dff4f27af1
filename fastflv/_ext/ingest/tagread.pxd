"""FLV tags from a byte stream: state that survives between reads."""

from libc.stdint cimport uint8_t, uint64_t

from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.syntax.flvtag cimport TAG_HEADER_BYTES, FlvTag


cdef class TagReader:
    cdef public MediaSink sink
    cdef readonly object message      # tuple of the last feed, or None
    cdef readonly bint has_header     # the FLV header was read
    cdef readonly uint64_t received   # bytes since creation
    cdef readonly uint64_t dropped    # media tags that came while there was no sink
    cdef Py_ssize_t max_tag           # bytes of a body
    cdef uint64_t passing             # bytes to pass over: rest of the FLV header, back pointer
    cdef uint8_t head[TAG_HEADER_BYTES]   # an incomplete FLV header or tag header, kept between reads
    cdef Py_ssize_t head_size
    cdef FlvTag tag                   # the cut tag; used while `head` holds its whole header
    cdef uint8_t* body                # owned; bytes of the cut tag's body so far
    cdef Py_ssize_t room              # bytes allocated at body
    cdef Py_ssize_t got               # bytes of the body received

    cdef Py_ssize_t take(self, const uint8_t* p, Py_ssize_t n) except -1
    cdef int read_file_header(self) except -1
    cdef int check(self, const FlvTag* tag) except -1
    cdef int keep(self, const uint8_t* p, Py_ssize_t n) except -1
    cdef int finish(self, const FlvTag* tag, const uint8_t* body) except -1
