"""Frames whose times are compressed, and their bodies with the composition times that follow from it."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

cdef enum Form:                # place of the composition time in a body
    FORM_NONE                  # the codec has none: shown when decoded
    FORM_FIELD                 # the three bytes before the data
    FORM_LEFT_OUT              # no field: the time is 0

cdef enum:                     # outcome of read_times
    TIMES_FIXED = -1           # they cannot be changed
    TIMES_NONE = 0             # no picture
    TIMES_READ = 1

cdef struct Frame:
    const uint8_t* body        # borrowed
    uint32_t size              # of it, bytes
    uint32_t at                # of the data in it
    uint8_t kind
    uint8_t form
    int64_t dts                # ms, as published
    int64_t pts
    int64_t out_dts            # ms, as written
    int64_t out_pts

cdef struct Frames:
    # All zero before the first; freed by whoever declares it, with `free(rows)`.
    Frame* rows                # owned
    Py_ssize_t count
    Py_ssize_t room

cdef Frame* add_frame(
    Frames* frames, uint8_t kind, const uint8_t* body, uint32_t size, int64_t dts_ms
) noexcept nogil
cdef int read_times(Frame* frame) noexcept nogil
cdef void compress_times(Frames* video, int64_t span, int64_t least) noexcept nogil
cdef uint32_t retimed_size(const Frame* frame) noexcept nogil
cdef void write_retimed(uint8_t* out, const Frame* frame) noexcept nogil
