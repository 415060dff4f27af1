"""Receivers of whole media messages."""

cimport cython
from libc.stdint cimport uint8_t, uint32_t

from fastflv._ext.syntax.flvtag cimport (
    BACK_POINTER_BYTES, TAG_AUDIO, TAG_HEADER_BYTES, TAG_VIDEO, FlvTag, read_tag_header,
)

from fastflv import limits

cdef int AGGREGATE_PARTS = limits.AGGREGATE_PARTS_MAX


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


cdef int split_aggregate(MediaSink sink, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
    """Give *sink* the sub-messages of an aggregate, AGGREGATE_PARTS at most; one that is cut short is left out.

    Spec: RTMP 1.0, 7.1.6.
    """
    cdef Py_ssize_t at = 0
    cdef int parts = 0
    cdef uint32_t first = 0
    cdef FlvTag sub
    # The last back pointer may be absent, so `next_tag` does not fit.
    while at + TAG_HEADER_BYTES <= size and parts < AGGREGATE_PARTS:
        parts += 1
        read_tag_header(body + at, &sub)
        if <Py_ssize_t>sub.size > size - at - TAG_HEADER_BYTES:
            break
        if at == 0:
            first = sub.timestamp
        if sub.kind == TAG_AUDIO or sub.kind == TAG_VIDEO:
            sink.take(sub.kind, timestamp + (sub.timestamp - first), sub.body, sub.size)
        at += TAG_HEADER_BYTES + <Py_ssize_t>sub.size + BACK_POINTER_BYTES
    return 0
