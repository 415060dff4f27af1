"""Base of the muxers that write a container on demand. See remux.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.medialog cimport MediaLog


cdef class Remux(Follower):
    cdef readonly MediaLog source      # FLV tags
    cdef readonly MediaLog log         # written by this muxer
    cdef readonly int64_t skipped      # tags that the container cannot carry, or that are broken
    cdef bint tells_time               # players read the times of its source from `log`, less the epoch
    cdef bint carries_video            # `has_video` of `log` is that of `source`; else the subclass sets it
    cdef int64_t at                    # position in `source` behind the last tag taken
    cdef bint written                  # something was written to `log` since its last publish
    cdef bint urgent                   # of the publish being taken

    # Takes one tag. body: borrowed, valid only during the call. Writes to `self.log` with log_reserve and
    # log_commit, sets `written`, and calls log_mark_key for a place to start.
    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1
    # Called once all tags of a publish were taken: gathered frames may be written.
    cdef int end_pass(self) except -1
    cdef int take_block(self, const uint8_t* tags, Py_ssize_t size, int64_t near_ms) except -1
    cdef int take_new(self) except -1
    # Whether the tag being taken, with a body of *size* bytes, is the present start of `source`. Of several keyframes
    # in one pass only the newest needs headers.
    cdef bint is_start(self, uint32_t size) noexcept
