"""Immutable bytes, shared by reference between the event loop and the sender threads."""

from libc.stdint cimport int32_t, uint8_t, uint32_t


cdef struct Block:
    # Immutable once shared. Freed by the last block_drop, on any thread.
    int32_t refs           # atomic, acquire and release
    uint32_t size          # bytes
    size_t whole           # of its place in the arena, bytes; 0: it is in the heap
    uint8_t bytes[1]       # `size` of them


cdef Block* block_new(const uint8_t* bytes, uint32_t size) noexcept nogil
cdef void block_hold(Block* block) noexcept nogil
cdef void block_drop(Block* block) noexcept nogil


cdef class MediaBlock:
    cdef Block* block          # owned reference; sender threads hold others
    cdef int views             # buffers that Python code holds


cdef MediaBlock as_media_block(Block* block)
