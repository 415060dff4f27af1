"""Tags of one publisher after the other in a log, with the headers that players need at a keyframe."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.ingest.headers cimport HeaderStore
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.ingest.timeline cimport Timeline
from fastflv._ext.log.medialog cimport MediaLog


cdef class TagWriter(MediaSink):
    cdef readonly MediaLog log
    cdef public int64_t now_ms         # monotonic clock of the read being taken in, ms
    cdef public object clock           # called with a time in ms, returns the body of the clock tag for it; or None
    cdef Timeline timeline
    cdef HeaderStore headers
    cdef bint hidden[2]                # audio, video: no frame yet, or none for TRACK_LOST_MS; its headers are left out
    cdef int64_t key_ms                # time of the newest keyframe of this publisher, -1: none yet
    cdef bint key_bare                 # the pending keyframe of the log, or a place of its past, has no headers yet
    cdef int snapshots                 # headers made for keyframes since the last flush, before they changed
    cdef bint urgent                   # a tag written since the last flush does not wait for a video frame
    cdef bint written                  # tags were written since the last flush
    cdef int64_t clock_ms              # time of the newest clock tag, ms
    cdef bint clocked                  # this publisher has a clock tag

    cdef int write_at(self, uint8_t kind, uint32_t timestamp, uint8_t flags, const uint8_t* body, uint32_t n) except -1
    cdef int write(self, uint8_t kind, int64_t dts_ms, uint8_t flags, const uint8_t* body, uint32_t size) except -1
    cdef int write_clock(self, int64_t dts_ms) except -1
    cdef int begin_epoch(self, int64_t dts_ms) except -1
    cdef int publish(self) except -1
    cdef int mark_key(self, int64_t position, int64_t dts_ms) except -1
    cdef int keep_headers(self) except -1
    cdef int give_headers(self) except -1
    cdef int update_key_headers(self) except -1
    cdef void mark_place(self, int64_t position, int64_t dts_ms) noexcept
