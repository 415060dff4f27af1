"""Receivers of whole media messages."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t


cdef class MediaSink:
    """Base of all receivers of media messages; subclass it in Cython and override `take`."""

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        return 0


@cython.final
cdef class CollectSink(MediaSink):
    """Keep every message as `(kind, timestamp, payload)`, for tools that look at a stream message by message."""

    cdef readonly list messages

    def __cinit__(self):
        self.messages = []

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        self.messages.append((kind, timestamp, body[:size]))
        return 0
