"""Metadata and sequence headers of a publisher: what a joining player needs before media."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.log.block cimport Block
from fastflv._ext.syntax.flvtag cimport TagTraits

cdef enum:
    HEADERS_MAX = 24           # 8 tracks of audio and 8 of video, and the notes of video

cdef enum:                     # outcome of HeaderStore.store
    HEADER_SAME = 0            # equal to the stored one
    HEADER_STORED = 1
    HEADER_TOO_LARGE = 2       # not stored: HEADERS_BYTES_MAX or HEADERS_MAX is reached

cdef struct Header:
    uint8_t* body              # owned; freed by HeaderStore
    uint32_t size              # bytes
    uint8_t kind               # 8 audio, 9 video
    uint8_t track
    uint8_t flags              # CONFIG, NOTES, or both
    bint stale                 # sent by the publisher before the present one
    bint held                  # not written to the log since it was stored


cdef class HeaderStore:
    cdef bytes metadata        # body of the onMetaData tag, or None
    cdef Header* rows          # owned; HEADERS_MAX at most
    cdef int count
    cdef int room              # rows allocated

    cdef Header* find(self, uint8_t kind, const TagTraits* traits) noexcept
    cdef bint has(self, uint8_t kind, const TagTraits* traits, const uint8_t* body, uint32_t size) noexcept
    cdef int store(self, uint8_t kind, const TagTraits* traits, const uint8_t* body, uint32_t size) except -1
    cdef int grow(self) except -1
    cdef bytes config(self, uint8_t kind)
    cdef bint is_sent(self, uint8_t kind) noexcept
    cdef void clear(self) noexcept
    cdef void mark_stale(self) noexcept
    cdef void drop_stale(self) noexcept
    cdef Block* as_block(self, int64_t dts_ms, const bint* lost) except NULL


cdef bytes merge_headers(bytes old, bytes new)
cdef bytes make_header(uint8_t kind, uint32_t codec, uint8_t first, bytes record)
