"""Sockets of RTMP publishers, read without a Python step for media."""

from libc.stdint cimport int64_t, uint8_t, uint64_t

from fastflv._ext.ingest.chunkread cimport ChunkReader
from fastflv._ext.ingest.inlet cimport Inlet
from fastflv._ext.ingest.lowwater cimport LowWater
from fastflv._ext.ingest.readpace cimport ReadPace


cdef class Feeds:
    cdef int poll              # owned: epoll with the descriptors of all feeds that are read; -1 once closed
    cdef bint turning          # within `turn`
    cdef dict rows             # Feed by its descriptor
    cdef object view           # memoryview of the receive buffer, which keeps it
    cdef uint8_t* buffer       # borrowed from `view`
    cdef Py_ssize_t size       # bytes


cdef class Feed:
    cdef Feeds feeds
    cdef int fd                # owned: a duplicate of the connection's socket; -1 once closed
    cdef ChunkReader reader
    cdef Inlet inlet
    cdef readonly LowWater low_water
    cdef object owner          # FeedOwner; None once closed
    cdef readonly bint reading
    cdef public uint64_t due   # the owner is called once the reader has received so many bytes
    cdef uint64_t formats      # of the inlet, as the owner knows them
    cdef ReadPace pace

    cdef bint read(self, int64_t now_ms) except -1
    cdef int fail(self, error) except -1
    cdef int take(self, Py_ssize_t size, int64_t now_ms) except -1
