"""Pages: the memory of a log."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy
from posix.mman cimport MAP_FAILED, MAP_SHARED, PROT_READ, mmap, munmap

from fastflv._ext.core.atomics cimport add32, load32_acquire
from fastflv._ext.log.arena cimport arena_give, arena_take

cdef extern from "<sys/mman.h>" nogil:
    int mincore(void* start, size_t size, unsigned char* there)
    int madvise(void* start, size_t size, int advice)
    int MADV_WILLNEED

cdef enum:
    FRAME = 4096           # bytes that the kernel maps as one, at least
    SCAN = 256             # frames that are asked for at once


cdef Page* page_new(int64_t start, uint32_t least, uint32_t tag_room) noexcept nogil:
    """Return an empty page for *least* bytes or some more, and *tag_room* tags; NULL without memory."""
    cdef size_t tags_at = (sizeof(Page) + 15) & ~<size_t>15
    cdef size_t bytes_at = tags_at + tag_room * sizeof(Tag)
    cdef size_t whole
    cdef Page* page = <Page*>arena_take(bytes_at + least, &whole)
    if page == NULL:
        return NULL
    page.refs = 1
    page.whole = whole
    page.tag_count = 0
    page.start = start
    page.used = 0
    page.capacity = <uint32_t>(whole - bytes_at)
    page.tag_room = tag_room
    page.tags = <Tag*>(<uint8_t*>page + tags_at)
    page.bytes = <uint8_t*>page + bytes_at
    page.map = NULL
    return page


cdef void page_drop(Page* page) noexcept nogil:
    if page == NULL or add32(&page.refs, -1) != 0:
        return
    if page.map != NULL:
        munmap(page.map, <size_t>page.used)
        free(page)
    else:
        arena_give(page, page.whole)


cdef Page* page_in_file(const Page* page, int fd, int64_t offset) noexcept nogil:
    """Return *page*, which is complete, with its bytes mapped from *offset* of a file; NULL: it cannot be.

    *offset*: a multiple of 4096.
    The caller has written the bytes there, and nobody else changes the file.
    """
    cdef size_t tags_at = (sizeof(Page) + 15) & ~<size_t>15
    cdef Page* made = <Page*>malloc(tags_at + page.tag_count * sizeof(Tag))
    cdef void* map
    if made == NULL:
        return NULL
    map = mmap(NULL, <size_t>page.used, PROT_READ, MAP_SHARED, fd, offset)
    if map == MAP_FAILED:
        free(made)
        return NULL
    memcpy(made, page, sizeof(Page))
    made.refs = 1
    made.tags = <Tag*>(<uint8_t*>made + tags_at)
    memcpy(made.tags, page.tags, page.tag_count * sizeof(Tag))
    made.map = map
    made.bytes = <uint8_t*>map
    made.capacity = <uint32_t>page.used
    made.tag_room = <uint32_t>page.tag_count
    return made


cdef bint page_is_resident(const Page* page) noexcept nogil:
    """Return whether all bytes can be read without waiting for a disk; where not, have them read in the background."""
    cdef unsigned char there[SCAN]
    cdef size_t at, step, i
    cdef bint resident = True
    if page.map == NULL:
        return True
    at = 0
    while at < <size_t>page.used and resident:
        step = min(<size_t>page.used - at, <size_t>(SCAN * FRAME))
        if mincore(<char*>page.map + at, step, there) != 0:
            return True
        for i in range((step + FRAME - 1) // FRAME):
            resident = resident and there[i] & 1
        at += step
    if not resident:
        madvise(page.map, <size_t>page.used, MADV_WILLNEED)
    return resident


cdef void page_touch(const Page* page) noexcept nogil:
    """Read each byte's frame once; it waits for the disk, so a thread calls it."""
    cdef size_t at = 0
    cdef const volatile uint8_t* bytes = page.bytes
    while at < <size_t>page.used:
        bytes[at]
        at += FRAME


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
