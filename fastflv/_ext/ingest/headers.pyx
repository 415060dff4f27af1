"""Metadata and sequence headers of a publisher.

Spec: Adobe FLV v10.1, E.4.2.1 and E.4.3.1 (sequence headers), E.5 (onMetaData); Enhanced RTMP v2.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memcmp, memcpy

from fastflv._ext.log.block cimport Block, block_new
from fastflv._ext.syntax.flvtag cimport (
    CONFIG, NOTES, TAG_AUDIO, TAG_FRAME_BYTES, TAG_SCRIPT, TAG_VIDEO, FlvTag, TagTraits, next_tag, write_tag,
)

from fastflv import limits

cdef int64_t HEADERS_BYTES = limits.HEADERS_BYTES_MAX


@cython.final
cdef class HeaderStore:
    """The newest sequence header of each track, and the metadata. Belongs to the writer's thread."""

    def __dealloc__(self):
        self.clear()
        free(self.rows)

    cdef void clear(self) noexcept:
        """Forget all headers; the metadata stays."""
        cdef int i
        for i in range(self.count):
            free(self.rows[i].body)
        self.count = 0

    cdef Header* find(self, uint8_t kind, const TagTraits* traits) noexcept:
        """Return the header of the same track and form, NULL without one."""
        cdef int i
        cdef Header* h
        for i in range(self.count):
            h = &self.rows[i]
            if h.kind == kind and h.track == traits.track and h.flags == traits.flags & (CONFIG | NOTES):
                return h
        return NULL

    cdef bint has(self, uint8_t kind, const TagTraits* traits, const uint8_t* body, uint32_t size) noexcept:
        """Return whether `store` would find an equal header."""
        cdef Header* h = self.find(kind, traits)
        return h != NULL and h.size == size and memcmp(h.body, body, size) == 0

    cdef int store(self, uint8_t kind, const TagTraits* traits, const uint8_t* body, uint32_t size) except -1:
        """Keep a copy of a sequence header; return HEADER_SAME, HEADER_STORED or HEADER_TOO_LARGE."""
        cdef int i
        cdef int64_t others = 0
        cdef Header* h = self.find(kind, traits)
        cdef uint8_t* copy
        for i in range(self.count):
            if &self.rows[i] != h:
                others += self.rows[i].size
        if h != NULL and h.size == size and memcmp(h.body, body, size) == 0:
            h.stale = False
            return HEADER_SAME
        if others + size > HEADERS_BYTES or (h == NULL and self.count == HEADERS_MAX):
            return HEADER_TOO_LARGE
        if h == NULL and self.count == self.room:
            self.grow()
        copy = <uint8_t*>malloc(size)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, body, size)
        if h == NULL:
            h = &self.rows[self.count]
            self.count += 1
        else:
            free(h.body)
        h.body = copy
        h.size = size
        h.kind = kind
        h.track = traits.track
        h.flags = traits.flags & (CONFIG | NOTES)
        h.stale = False
        h.held = True
        return HEADER_STORED

    cdef int grow(self) except -1:
        """Make room for one more: most publishers send two headers."""
        cdef int room = max(2, self.room * 2)
        cdef Header* grown = <Header*>realloc(self.rows, room * sizeof(Header))
        if grown == NULL:
            raise MemoryError
        self.rows = grown
        self.room = room
        return 0

    cdef bytes config(self, uint8_t kind):
        """Return the body of the sequence header of the default track of *kind*, None without one."""
        cdef int i
        cdef Header* h
        for i in range(self.count):
            h = &self.rows[i]
            if h.kind == kind and h.track == 0 and h.flags == CONFIG:
                return h.body[:h.size]
        return None

    cdef bint is_sent(self, uint8_t kind) noexcept:
        """Return whether the present publisher sent a header of *kind*."""
        cdef int i
        for i in range(self.count):
            if self.rows[i].kind == kind and not self.rows[i].stale:
                return True
        return False

    cdef void mark_stale(self) noexcept:
        """A new publisher begins: headers that it does not send again are dropped by `drop_stale`."""
        cdef int i
        for i in range(self.count):
            self.rows[i].stale = True

    cdef void drop_stale(self) noexcept:
        cdef int i
        cdef int kept = 0
        for i in range(self.count):
            if self.rows[i].stale:
                free(self.rows[i].body)
            else:
                self.rows[kept] = self.rows[i]
                kept += 1
        self.count = kept

    cdef Block* as_block(self, int64_t dts_ms, const bint* lost) except NULL:
        """Return metadata, audio headers, video headers and video notes as tags; the caller owns the reference.

        The tags carry *dts_ms*, the metadata 0. *lost*: two flags, audio and video; a lost track has no headers here.
        """
        cdef int i, turn
        cdef uint32_t size = 0
        cdef Header* h
        cdef Block* block
        cdef uint8_t* out
        cdef const uint8_t* meta = NULL
        if self.metadata is not None:
            meta = self.metadata
            size = <uint32_t>len(self.metadata) + TAG_FRAME_BYTES
        for i in range(self.count):
            if not lost[self.rows[i].kind == TAG_VIDEO]:
                size += self.rows[i].size + TAG_FRAME_BYTES
        block = block_new(NULL, size)
        if block == NULL:
            raise MemoryError
        out = block.bytes
        if meta != NULL:
            write_tag(out, TAG_SCRIPT, meta, <uint32_t>len(self.metadata), 0)
            out += len(self.metadata) + TAG_FRAME_BYTES
        for turn in range(3):
            for i in range(self.count):
                h = &self.rows[i]
                if lost[h.kind == TAG_VIDEO]:
                    continue
                if (turn == 0) == (h.kind == TAG_AUDIO) and (turn == 2) == (h.flags == NOTES):
                    write_tag(out, h.kind, h.body, h.size, dts_ms)
                    out += h.size + TAG_FRAME_BYTES
        return block


cdef dict tags_by_kind(bytes tags):
    """Split a run of whole tags by their kind."""
    cdef dict found = {TAG_SCRIPT: b"", TAG_AUDIO: b"", TAG_VIDEO: b""}
    cdef const uint8_t* p = tags
    cdef Py_ssize_t at = 0
    cdef FlvTag tag
    while next_tag(p, len(tags), &at, &tag):
        found[tag.kind] += tag.start[:tag.size + TAG_FRAME_BYTES]
    return found


cdef bytes merge_headers(bytes old, bytes new):
    """Return the metadata of *new* and the headers of each track that *new* has: as in *old*, else as in *new*."""
    cdef dict before = tags_by_kind(old)
    cdef dict now = tags_by_kind(new)
    return now[TAG_SCRIPT] + b"".join([
        before[kind] or now[kind] for kind in (TAG_AUDIO, TAG_VIDEO) if now[kind]
    ])


cdef bytes make_header(uint8_t kind, uint32_t codec, uint8_t first, bytes record):
    """Return the body of a sequence header tag. *first*: first byte of a body of that track, for its sound format."""
    if codec > 15:
        return b"\x90" + (<object>codec).to_bytes(4, "big") + record
    if kind == TAG_VIDEO:
        return bytes([0x10 | codec, 0, 0, 0, 0]) + record
    return bytes([first, 0]) + record
