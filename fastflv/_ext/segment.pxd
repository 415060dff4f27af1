"""Bytes that are shared by reference between the log's writer and its readers."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef struct Block:
    # Immutable bytes shared by reference, for example what a player is sent before it reads the log.
    int32_t refs           # atomic
    uint32_t size          # bytes
    size_t mapped          # bytes of its own pages, 0: it is in the heap
    uint8_t bytes[1]       # `size` of them


cdef struct Tag:
    uint32_t offset        # of the tag header in its segment, bytes
    uint32_t size          # whole tag with back pointer, bytes
    int64_t dts_ms
    uint8_t kind           # 8 audio, 9 video, 18 script data
    uint8_t flags          # flvtag.pxd: KEY, DISPOSABLE, CONFIG, COMMAND


cdef struct Segment:
    int32_t refs           # atomic; one is the log's own
    int32_t tag_count      # entries of `tags`; release by the writer, acquire by readers
    int64_t start          # log position of the first byte
    int64_t used           # bytes written; writer only (readers go by the head)
    uint32_t capacity      # bytes
    uint32_t tag_room      # entries
    Tag* tags              # inside the same allocation
    uint8_t* bytes         # inside the same allocation


cdef struct View:
    # A reader's own pinned picture of the list of segments.
    int64_t version
    Segment** segments     # owned array of references, oldest first
    int32_t count
    int32_t room


cdef Block* block_new(const uint8_t* bytes, uint32_t size) noexcept nogil
cdef void block_hold(Block* block) noexcept nogil
cdef void block_drop(Block* block) noexcept nogil
cdef Segment* segment_new(int64_t start, uint32_t capacity) noexcept nogil
cdef void segment_drop(Segment* segment) noexcept nogil
cdef int32_t segment_tag_at(Segment* segment, int64_t position) noexcept nogil
cdef void view_clear(View* view) noexcept nogil
cdef Segment* view_find(const View* view, int64_t position) noexcept nogil


cdef class MediaBlock:
    cdef Block* block          # owned reference; sender threads hold others
    cdef int views             # buffers that Python has of it


cdef MediaBlock as_media_block(Block* block)
