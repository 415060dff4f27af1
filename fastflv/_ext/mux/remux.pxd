"""One log made from another: base of every container that is written on demand. See remux.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.medialog cimport MediaLog


cdef class Remux(Follower):
    cdef readonly MediaLog source      # FLV tags
    cdef readonly MediaLog log         # what is made of them
    cdef readonly int64_t skipped      # tags that the container cannot carry, or that are broken
    cdef bint carries_video            # `log` has video whenever `source` has; else `take_tag` says when
    cdef int64_t at                    # position in `source` behind the last tag taken
    cdef bint written                  # something was written to `log` since its last publish
    cdef bint urgent                   # and it does not wait for a video frame

    # Takes one tag. body: borrowed, valid only during the call. Writes to `self.log` with log_reserve and
    # log_commit, sets `written`, and calls log_mark_key for a place to start.
    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1
    # All tags published so far were taken: what was gathered may be written.
    cdef int end_pass(self) except -1
    cdef int take_block(self, const uint8_t* tags, Py_ssize_t size, int64_t near_ms) except -1
    cdef int take_new(self) except -1
    # Whether the tag being taken, with a body of *size* bytes, is where players of `source` start now: of the
    # keyframes of one pass only the newest needs its headers.
    cdef bint is_start(self, uint32_t size) noexcept
