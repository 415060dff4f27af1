"""MPEG-TS from a whole FLV file."""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t

from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.syntax.flvtag cimport (
    BACK_POINTER_BYTES, FLV_HEADER_BYTES, FlvTag, flv_data_offset, next_tag, read_traits,
)
from fastflv._ext.ts.mux cimport TsMux

from io import BytesIO

from fastflv import limits
from fastflv.errors import FlvHeaderError

cdef Py_ssize_t FILE_STEP_BYTES = limits.TS_FILE_STEP_BYTES


def mux(flv, describe):
    """Return a whole FLV file as MPEG-TS; a tag that is cut short at its end is left out.

    Raises FlvHeaderError when it does not begin with an FLV header.
    """
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef Py_ssize_t at, end, first, start
    cdef FlvTag tag
    cdef bint whole
    cdef TsMux made = TsMux(MediaLog(), MediaLog(), describe)
    # Tags have 31 bits of time, here 0 to 2**31 - 1: a file has no log whose clock could extend them.
    cdef int64_t as_it_stands = 1 << 30
    out = BytesIO()
    PyObject_GetBuffer(flv, &view, PyBUF_SIMPLE)
    try:
        p = <const uint8_t*>view.buf
        if view.len < FLV_HEADER_BYTES + BACK_POINTER_BYTES or flv_data_offset(p) < 0:
            raise FlvHeaderError("no FLV header of version 1", offset=0)
        first = <Py_ssize_t>flv_data_offset(p) + BACK_POINTER_BYTES
        at = first
        while next_tag(p, view.len, &at, &tag):
            if made.announce(tag.kind, read_traits(tag.kind, tag.body, tag.size).flags, tag.body, tag.size):
                break
        at = end = start = first
        while True:
            whole = next_tag(p, view.len, &end, &tag)
            if not whole or end - start > FILE_STEP_BYTES:
                # A log per step that trims nothing: the allocator reuses its memory for the next.
                made.log = MediaLog(keep_ms=1 << 60, history_bytes=1 << 60)
                made.take_block(p + start, at - start, as_it_stands)
                if not whole:
                    made.end()
                made.log.publish(False)
                out.write(made.log.read(0, made.log.log.written))
                start = at
            if not whole:
                return out.getvalue()
            at = end
    finally:
        PyBuffer_Release(&view)
