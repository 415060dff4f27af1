"""Flags of pictures in the index of the log. See pictures.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.ingest.dependency cimport VideoForm
from fastflv._ext.log.log cimport Log
from fastflv._ext.syntax.flvtag cimport Payload


cdef class Pictures:
    cdef VideoForm form
    cdef int64_t key_shown_ms          # time at which the newest keyframe is shown, ms
    cdef int64_t sent_key_ms           # time of the newest keyframe that the publisher calls one, ms; -1: none
    cdef int64_t start_ms              # time of the newest picture to start with, or of the first picture, ms; -1: none

    cdef void clear(self) noexcept
    cdef void configure(self, const uint8_t* body, uint32_t size) noexcept
    # flags: as of the tag. found: coded data in body; NULL: none that can be read. log: where the picture goes.
    cdef uint8_t flags_of(
        self, uint8_t flags, int64_t dts_ms, const Payload* found, const uint8_t* body, Log* log
    ) noexcept
