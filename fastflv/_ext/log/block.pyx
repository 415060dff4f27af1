"""Blocks: immutable bytes that players are sent by reference."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_FillInfo, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastflv._ext.core.atomics cimport add32, load32_acquire
from fastflv._ext.log.arena cimport arena_give, arena_take

from fastflv import limits

cdef uint32_t ARENA_BYTES = limits.BLOCK_ARENA_BYTES


cdef Block* block_new(const uint8_t* bytes, uint32_t size) noexcept nogil:
    """Copy *size* bytes into a block with one reference, the caller's; NULL without memory.

    With *bytes* NULL the caller fills the block before it shares it.
    """
    cdef size_t whole = sizeof(Block) + size
    cdef bint large = size >= ARENA_BYTES
    cdef Block* block = <Block*>(arena_take(whole, &whole) if large else malloc(whole))
    if block == NULL:
        return NULL
    block.whole = whole if large else 0
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
    if block.whole:
        arena_give(block, block.whole)
    else:
        free(block)


cdef MediaBlock as_media_block(Block* block):
    """Wrap *block*, whose reference it takes."""
    cdef MediaBlock made = MediaBlock.__new__(MediaBlock, b"")
    block_drop(made.block)
    made.block = block
    return made


@cython.final
cdef class MediaBlock:
    """Immutable bytes, sent to any number of players by reference."""

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
        """A player or a buffer of Python still refers to the bytes."""
        return self.views > 0 or load32_acquire(&self.block.refs) > 1
