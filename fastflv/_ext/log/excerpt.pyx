"""A part of a log for a thread that is in no hurry: its pages are pinned, and nothing of them changes."""

cimport cython
from libc.stdint cimport INT64_MAX, int32_t, int64_t
from libc.stdlib cimport free, realloc

from fastflv._ext.core.atomics cimport add32, load32_acquire, load_relaxed
from fastflv._ext.log.block cimport Block, block_drop, block_hold
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag, page_drop, page_tag_at, page_touch
from fastflv._ext.log.past cimport kept_page
from fastflv._ext.log.timeshift cimport Place, place_at
from fastflv._ext.syntax.flvtag cimport KEY

from fastflv.errors import UsageError

cdef int64_t ANY = INT64_MAX


@cython.final
cdef class Excerpt:
    """The tags of *log* from *position* up to the first one behind *until_ms*, stream time, or at *stop*.

    *place*: position of the place whose headers count; -1: that at *position*.
    Made by the event loop; then it belongs to one thread at a time. Raises UsageError where there is no such place.
    """

    cdef Page** pages             # owned array of references, oldest first
    cdef int32_t count
    cdef int32_t room
    cdef int32_t next             # of the pages
    cdef Block* block             # referenced: headers before the first tag
    cdef readonly int64_t position
    cdef readonly int64_t stop    # position behind the last tag
    cdef readonly int64_t first_ms  # stream time of the first tag
    cdef readonly bint has_video
    cdef readonly int64_t keys    # keyframes
    cdef int64_t at
    cdef int64_t touched          # start of the page that was read into memory

    def __init__(
        self, MediaLog log not None, int64_t position, int64_t until_ms=ANY, *, int64_t stop=ANY, int64_t place=-1
    ):
        cdef Place* start = NULL
        cdef int64_t head = load_relaxed(&log.log.head)
        cdef int64_t at = position
        cdef Page* page
        cdef int32_t i
        if place < 0:
            place = position
        if log.log.past != NULL:
            start = place_at(log.log.past, place)
        if start == NULL or start.headers == NULL:
            raise UsageError(f"the past has no place at {place}")
        block_hold(start.headers)
        self.block = start.headers
        self.touched = -1
        self.position = self.at = self.stop = position
        self.first_ms = start.dts_ms
        self.has_video = start.video
        while at < head:
            page = kept_page(log.log, at)
            if page == NULL:
                break
            self.pin(page)
            i = page_tag_at(page, at)
            while i < page.tag_count and at < head:
                if page.tags[i].dts_ms > until_ms or at >= stop:
                    self.stop = at
                    return
                at = page.start + page.tags[i].offset + page.tags[i].size
                self.keys += page.tags[i].flags & KEY != 0
                i += 1
            self.stop = at

    def __dealloc__(self):
        self.drop()
        block_drop(self.block)
        free(self.pages)

    cdef int pin(self, Page* page) except -1:
        cdef Page** grown
        if self.count == self.room:
            grown = <Page**>realloc(self.pages, (self.room * 2 + 16) * sizeof(Page*))
            if grown == NULL:
                raise MemoryError
            self.pages = grown
            self.room = self.room * 2 + 16
        add32(&page.refs, 1)
        self.pages[self.count] = page
        self.count += 1
        return 0

    cdef void drop(self) noexcept:
        cdef int32_t i
        for i in range(self.next, self.count):
            page_drop(self.pages[i])
        self.next = self.count = 0

    def close(self):
        """Unpin the pages that were not read."""
        self.drop()

    @property
    def size(self):
        """Bytes of the tags."""
        return self.stop - self.position

    @property
    def headers(self):
        """Metadata and sequence headers of the first tag, as whole FLV tags."""
        return self.block.bytes[:self.block.size]

    def take(self, int64_t most):
        """Return `(kind, flags, dts_ms, bytes)` of the next entries, about *most* bytes; none at the end."""
        cdef list found = []
        cdef int64_t taken = 0
        cdef Page* page
        cdef Tag* tag
        cdef int32_t i
        while self.next < self.count and self.at < self.stop and taken < most:
            page = self.pages[self.next]
            if page.start != self.touched:
                # Its bytes may be on a disk, which is waited for without the lock of the interpreter.
                with nogil:
                    page_touch(page)
                self.touched = page.start
            i = page_tag_at(page, self.at)
            while 0 <= i < load32_acquire(&page.tag_count) and self.at < self.stop and taken < most:
                tag = &page.tags[i]
                found.append((tag.kind, tag.flags, tag.dts_ms, page.bytes[tag.offset:tag.offset + tag.size]))
                self.at = page.start + tag.offset + tag.size
                taken += tag.size
                i += 1
            if i < 0 or self.at >= page.start + page.used or self.at >= self.stop:
                page_drop(page)
                self.next += 1
        return found
