"""Tags of a log as Python objects: views of pages that stay while the objects do."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.log.page cimport Page, Tag


cdef class PinnedBytes:
    cdef readonly int64_t held  # bytes of the pages that views keep


cdef class PagePin:
    cdef Page* page            # owned reference
    cdef PinnedBytes pins


cdef class MediaTag:
    cdef object owner          # a PagePin, or the bytes that hold `body`
    cdef const uint8_t* body   # borrowed from `owner`; below the published head, so it never changes
    cdef uint32_t size
    cdef uint8_t flags         # flvtag.pxd
    cdef readonly uint8_t kind
    cdef readonly int64_t time
    cdef readonly bint jumped


cdef PagePin pin_page(Page* page, PinnedBytes pins)
cdef MediaTag tag_in_page(PagePin pin, const Tag* tag)
cdef list tags_in_bytes(bytes run)
