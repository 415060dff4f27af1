"""Flags of pictures in the index of the log. See pictures.pyx."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.ingest.dependency cimport VideoForm


cdef class Pictures:
    cdef VideoForm form
    cdef int64_t key_shown_ms          # time at which the newest keyframe is shown, ms
    cdef int64_t start_ms              # time of the newest picture to start with, or of the first picture, ms; -1: none

    cdef void clear(self) noexcept
    cdef void configure(self, const uint8_t* body, uint32_t size) noexcept
    # flags: as of the tag. has_start: the log offers a start to players.
    cdef uint8_t flags_of(
        self, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size, bint has_start
    ) noexcept
