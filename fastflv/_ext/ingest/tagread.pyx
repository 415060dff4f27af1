"""FLV tags from a byte stream, as a publisher sends them in the body of an HTTP request.

A media tag that lies whole in the block given to `feed` is handed to the sink straight from there; a tag that is cut
by the end of a block is copied once.

Spec: Adobe FLV v10.1, E.2 (header), E.3 (back pointers), E.4.1 (tags).
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.syntax.flvtag cimport (
    BACK_POINTER_BYTES, FLV_HEADER_BYTES, TAG_AUDIO, TAG_HEADER_BYTES, TAG_SCRIPT, TAG_VIDEO, FlvTag, flv_data_offset,
    read_tag_header,
)

from fastflv import limits
from fastflv.errors import FlvHeaderError, TagError, TagSizeError

cdef enum:
    FILTER_BIT = 0x20          # the body is encrypted

cdef int64_t FLV_HEADER_MAX = limits.FLV_HEADER_BYTES_MAX
cdef Py_ssize_t BODY_KEEP = limits.CHUNK_BODY_KEEP_BYTES
cdef Py_ssize_t BODY_FIRST = limits.CHUNK_BODY_FIRST_BYTES


@cython.final
cdef class TagReader:
    """Split FLV into tags. One reader belongs to one publisher and one thread.

    Audio and video tags go to `sink`; with no sink they are dropped and counted. Script tags are shown in `message`,
    one at a time, as `(kind, timestamp, body)`. Timestamps are ms modulo 2**32, the extension byte on top.

    Back pointers are not checked: tag lengths alone frame the tags, encoders in the field write 0, the bare size or
    running sums, and SRS and FFmpeg take those. A lost frame boundary shows as a wrong type in the next tag.

    Memory: the buffer of a cut tag grows with the bytes that arrive, never with the bytes announced.
    """

    def __cinit__(self, Py_ssize_t max_tag=limits.MESSAGE_BYTES_MAX):
        self.max_tag = max_tag

    def __dealloc__(self):
        free(self.body)

    @property
    def inside(self):
        """Whether the bytes so far end within a tag, or before its back pointer."""
        return self.head_size > 0 or self.passing > 0

    def feed(self, block, Py_ssize_t start=0):
        """Take bytes of *block* from *start*; return the offset of the first byte not used.

        Stops behind the first script tag (`message` holds it then), or at the end of the block (`message` is None).
        Raises FlvHeaderError, TagError or TagSizeError; the reader must not be fed again after that.
        """
        cdef Py_buffer view
        cdef const uint8_t* p
        cdef Py_ssize_t at
        self.message = None
        PyObject_GetBuffer(block, &view, PyBUF_SIMPLE)
        try:
            p = <const uint8_t*>view.buf
            at = start
            if at < 0 or at > view.len:
                raise ValueError("start lies outside the block")
            while at < view.len and self.message is None:
                at += self.take(p + at, view.len - at)
            self.received += <uint64_t>(at - start)
            return at
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t take(self, const uint8_t* p, Py_ssize_t n) except -1:
        """Take the next piece of the *n* bytes at *p*, above 0; return its size."""
        cdef Py_ssize_t used, wanted
        cdef FlvTag tag
        if self.passing:
            used = <Py_ssize_t>min(self.passing, <uint64_t>n)
            self.passing -= <uint64_t>used
            return used
        if self.has_header and self.head_size == 0 and n >= TAG_HEADER_BYTES:
            read_tag_header(p, &tag)
            self.check(&tag)
            if n - TAG_HEADER_BYTES >= <Py_ssize_t>tag.size:
                self.finish(&tag, tag.body)
                return TAG_HEADER_BYTES + <Py_ssize_t>tag.size
        wanted = TAG_HEADER_BYTES if self.has_header else FLV_HEADER_BYTES
        if self.head_size < wanted:
            used = min(wanted - self.head_size, n)
            memcpy(self.head + self.head_size, p, used)
            self.head_size += used
            if self.head_size < wanted:
                return used
            if not self.has_header:
                self.read_file_header()
                return used
            read_tag_header(self.head, &self.tag)
            self.check(&self.tag)
        else:
            used = min(<Py_ssize_t>self.tag.size - self.got, n)
            self.keep(p, used)
        if self.got == <Py_ssize_t>self.tag.size:
            self.head_size = 0
            self.got = 0
            self.finish(&self.tag, self.body)
            if self.room > BODY_KEEP:
                free(self.body)
                self.body = NULL
                self.room = 0
        return used

    cdef int read_file_header(self) except -1:
        cdef int64_t offset = flv_data_offset(self.head)
        if offset < 0:
            raise FlvHeaderError("no FLV header of version 1", offset=0)
        if offset > FLV_HEADER_MAX:
            raise FlvHeaderError(f"FLV header of {offset} bytes; {FLV_HEADER_MAX} are taken", offset=5)
        self.head_size = 0
        self.has_header = True
        # The back pointer before the first tag is 0.
        self.passing = <uint64_t>(offset - FLV_HEADER_BYTES + BACK_POINTER_BYTES)
        return 0

    cdef int check(self, const FlvTag* tag) except -1:
        """Refuse a tag that the server cannot take."""
        if tag.kind != TAG_AUDIO and tag.kind != TAG_VIDEO and tag.kind != TAG_SCRIPT:
            if tag.kind & FILTER_BIT:
                raise TagError(f"encrypted tag of type {tag.kind & 31}; publish without encryption")
            raise TagError(f"tag of type {tag.kind}; 8, 9 and 18 are taken")
        if <Py_ssize_t>tag.size > self.max_tag:
            raise TagSizeError(f"tag of {tag.size} bytes; {self.max_tag} are taken")
        return 0

    cdef int keep(self, const uint8_t* p, Py_ssize_t n) except -1:
        """Copy a part of the cut tag's body."""
        cdef Py_ssize_t need = self.got + n
        cdef Py_ssize_t room
        cdef uint8_t* grown
        if need > self.room:
            room = min(max(BODY_FIRST, need * 2), max(need, <Py_ssize_t>self.tag.size))
            grown = <uint8_t*>realloc(self.body, room)
            if grown == NULL:
                raise MemoryError
            self.body = grown
            self.room = room
        memcpy(self.body + self.got, p, n)
        self.got = need
        return 0

    cdef int finish(self, const FlvTag* tag, const uint8_t* body) except -1:
        """Hand on a whole tag. *body* is borrowed from the block or from `self.body`."""
        self.passing = BACK_POINTER_BYTES
        if tag.kind == TAG_SCRIPT:
            self.message = (tag.kind, tag.timestamp, body[:tag.size] if tag.size else b"")
        elif self.sink is None:
            self.dropped += 1
        else:
            (<MediaSink>self.sink).take(tag.kind, tag.timestamp, body, tag.size)
        return 0
