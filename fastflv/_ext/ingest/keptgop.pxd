"""The newest GOP of a publisher on standby, with its sequence headers."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastflv._ext.ingest.headers cimport HeaderStore
from fastflv._ext.ingest.sink cimport MediaSink


cdef class KeptGop(MediaSink):
    cdef HeaderStore headers
    cdef uint8_t* rows         # owned; FLV tags with the publisher's own times, from the keyframe on
    cdef Py_ssize_t used       # bytes
    cdef Py_ssize_t room
    cdef readonly int64_t bytes_max
    cdef readonly int pictures_max  # 0: no bound
    cdef int pictures
    cdef bint whole            # `rows` begins with a keyframe, and lacks nothing behind it
    cdef uint32_t key_time     # of the keyframe, as sent, ms modulo 2**32
    cdef uint32_t picture_time  # of the newest picture, likewise
    cdef uint32_t newest_time  # of the newest frame, likewise
    cdef uint64_t keys         # keyframes taken
    cdef uint64_t shown        # pictures taken, kept or not

    cdef int64_t span_ms(self) noexcept
    cdef int64_t fitted_ms(self, int64_t room_ms) noexcept
    cdef int replay(self, MediaSink sink, int64_t span_ms) except -1
    cdef bint squeeze(self, MediaSink sink, int64_t span_ms) except -1
    cdef void drop(self) noexcept
    cdef int append(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1
