"""The rate of a stream, by the pages that it filled: how large the next is to be, and how fast players are sent."""

from libc.stdint cimport int64_t

from fastflv._ext.log.page cimport Page

from fastflv import limits

cdef int64_t PAGES = limits.RATE_PAGES
cdef int64_t RATE_SPAN_MS = limits.RATE_SPAN_MS


cdef inline int64_t span_of(const Rate* rate, const Page* page) noexcept nogil:
    """Return the media that *page* adds, ms. A page that is the first has no tag before it to count from."""
    cdef int64_t since = rate.until if rate.tags else page.tags[0].dts_ms
    return max(page.tags[page.tag_count - 1].dts_ms - since, <int64_t>0)


cdef void rate_add(Rate* rate, const Page* page) noexcept nogil:
    """Count a page that is full; the sums forget a part of what they held."""
    if page.tag_count == 0:
        return
    rate.ms += span_of(rate, page) - rate.ms // PAGES
    rate.bytes += page.used - rate.bytes // PAGES
    rate.tags += page.tag_count - rate.tags // PAGES
    rate.until = page.tags[page.tag_count - 1].dts_ms


cdef int64_t rate_now(const Rate* rate, const Page* page) noexcept nogil:
    """Return bytes a second, with *page*, the newest (NULL: none); 0 while all is less than RATE_SPAN_MS."""
    cdef int64_t ms = rate.ms
    cdef int64_t size = rate.bytes
    if page != NULL and page.tag_count:
        ms += span_of(rate, page)
        size += page.used
    return size * 1000 // ms if ms >= RATE_SPAN_MS else 0
