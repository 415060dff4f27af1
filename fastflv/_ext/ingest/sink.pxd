"""Receivers of whole media messages, given as pointer and length, without a Python object per message."""

from libc.stdint cimport uint8_t, uint32_t


cdef class MediaSink:
    # kind: RTMP message type (8 audio, 9 video, 22 aggregate).
    # timestamp: milliseconds, absolute, modulo 2**32, as the peer sent it.
    # body: borrowed; valid only during the call. size: bytes, may be 0.
    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1


cdef int split_aggregate(MediaSink sink, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1
