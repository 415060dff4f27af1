"""Pages: the memory of a log."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc

from fastflv._ext.core.atomics cimport add32, load32_acquire

from fastflv import limits

cdef uint32_t TAG_BYTES_TYPICAL = limits.TAG_BYTES_TYPICAL


cdef Page* page_new(int64_t start, uint32_t capacity) noexcept nogil:
    cdef uint32_t room = capacity // TAG_BYTES_TYPICAL + 8
    cdef size_t tags_at = (sizeof(Page) + 15) & ~<size_t>15
    cdef size_t bytes_at = tags_at + room * sizeof(Tag)
    cdef Page* page = <Page*>malloc(bytes_at + capacity)
    if page == NULL:
        return NULL
    page.refs = 1
    page.tag_count = 0
    page.start = start
    page.used = 0
    page.capacity = capacity
    page.tag_room = room
    page.tags = <Tag*>(<uint8_t*>page + tags_at)
    page.bytes = <uint8_t*>page + bytes_at
    return page


cdef void page_drop(Page* page) noexcept nogil:
    if page != NULL and add32(&page.refs, -1) == 0:
        free(page)


cdef int32_t page_tag_at(Page* page, int64_t position) noexcept nogil:
    """Return the index of the tag that holds *position*, or -1."""
    cdef int32_t low = 0
    cdef int32_t high = load32_acquire(&page.tag_count) - 1
    cdef int32_t middle
    cdef int64_t offset = position - page.start
    if high < 0 or offset < 0:
        return -1
    while low < high:
        middle = (low + high + 1) >> 1
        if <int64_t>page.tags[middle].offset <= offset:
            low = middle
        else:
            high = middle - 1
    if offset >= <int64_t>page.tags[low].offset + page.tags[low].size:
        return -1
    return low
