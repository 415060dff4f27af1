"""Blocks, segments and views: bytes that are shared by reference, and how they are let go."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

from fastflv._ext.atomics cimport add32, load32_acquire

from fastflv import limits

cdef uint32_t TAG_BYTES_TYPICAL = limits.TAG_BYTES_TYPICAL
cdef uint32_t MAPPED_BYTES = limits.BLOCK_MAPPED_BYTES


# --- blocks ---------------------------------------------------------------------------------

cdef Block* block_new(const uint8_t* bytes, uint32_t size) noexcept nogil:
    """Copy *size* bytes into a block with one reference; NULL without memory. *bytes* may be NULL: to be filled."""
    cdef size_t whole = sizeof(Block) + size
    cdef bint maps = size >= MAPPED_BYTES
    cdef void* room
    if maps:
        room = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    else:
        room = malloc(whole)
    if room == NULL or room == MAP_FAILED:
        return NULL
    cdef Block* block = <Block*>room
    block.mapped = whole if maps else 0
    block.refs = 1
    block.size = size
    if bytes != NULL and size:
        memcpy(block.bytes, bytes, size)
    return block


cdef void block_hold(Block* block) noexcept nogil:
    if block != NULL:
        add32(&block.refs, 1)


cdef void block_drop(Block* block) noexcept nogil:
    if block == NULL or add32(&block.refs, -1) != 0:
        return
    if block.mapped:
        munmap(block, block.mapped)
    else:
        free(block)


# --- segments -------------------------------------------------------------------------------

cdef Segment* segment_new(int64_t start, uint32_t capacity) noexcept nogil:
    cdef uint32_t room = capacity // TAG_BYTES_TYPICAL + 8
    cdef size_t tags_at = (sizeof(Segment) + 15) & ~<size_t>15
    cdef size_t bytes_at = tags_at + room * sizeof(Tag)
    cdef Segment* segment = <Segment*>malloc(bytes_at + capacity)
    if segment == NULL:
        return NULL
    segment.refs = 1
    segment.tag_count = 0
    segment.start = start
    segment.used = 0
    segment.capacity = capacity
    segment.tag_room = room
    segment.tags = <Tag*>(<uint8_t*>segment + tags_at)
    segment.bytes = <uint8_t*>segment + bytes_at
    return segment


cdef void segment_drop(Segment* segment) noexcept nogil:
    if segment != NULL and add32(&segment.refs, -1) == 0:
        free(segment)


cdef int32_t segment_tag_at(Segment* segment, int64_t position) noexcept nogil:
    """Return the index of the tag that holds *position*, or -1."""
    cdef int32_t low = 0
    cdef int32_t high = load32_acquire(&segment.tag_count) - 1
    cdef int32_t middle
    cdef int64_t offset = position - segment.start
    if high < 0 or offset < 0:
        return -1
    while low < high:
        middle = (low + high + 1) >> 1
        if <int64_t>segment.tags[middle].offset <= offset:
            low = middle
        else:
            high = middle - 1
    if offset >= <int64_t>segment.tags[low].offset + segment.tags[low].size:
        return -1
    return low


# --- views ----------------------------------------------------------------------------------

cdef void view_clear(View* view) noexcept nogil:
    cdef int32_t i
    for i in range(view.count):
        segment_drop(view.segments[i])
    view.count = 0


cdef Segment* view_find(const View* view, int64_t position) noexcept nogil:
    """Return the segment that holds *position* (or ends there and is the last), NULL when it was trimmed."""
    cdef int32_t i = view.count - 1
    while i >= 0:
        if view.segments[i].start <= position:
            return view.segments[i]
        i -= 1
    return NULL


# --- Python door ----------------------------------------------------------------------------

cdef MediaBlock as_media_block(Block* block):
    """Wrap *block*, whose reference it takes."""
    cdef MediaBlock made = MediaBlock.__new__(MediaBlock, b"")
    block_drop(made.block)
    made.block = block
    return made


@cython.final
cdef class MediaBlock:
    """Immutable bytes that any number of players are sent by reference."""

    def __cinit__(self, data):
        cdef Py_buffer view
        PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
        try:
            self.block = block_new(<const uint8_t*>view.buf, <uint32_t>view.len)
        finally:
            PyBuffer_Release(&view)
        if self.block == NULL:
            raise MemoryError

    def __dealloc__(self):
        block_drop(self.block)

    def __len__(self):
        return self.block.size

    def __getbuffer__(self, Py_buffer* view, int flags):
        PyBuffer_FillInfo(view, self, self.block.bytes, self.block.size, True, flags)
        self.views += 1

    def __releasebuffer__(self, Py_buffer* view):
        self.views -= 1

    @property
    def in_use(self):
        """A player is still being sent it."""
        return self.views > 0 or load32_acquire(&self.block.refs) > 1
