"""The memory of a media log: pages of ready-to-send bytes with an index of tags."""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t


cdef struct Tag:
    uint32_t offset        # of the tag header in its page, bytes
    uint32_t size          # whole tag with back pointer, bytes
    int64_t dts_ms
    uint8_t kind           # 8 audio, 9 video, 18 script data
    uint8_t flags          # flvtag.pxd: KEY, DISPOSABLE, CONFIG, COMMAND


cdef struct Page:
    int32_t refs           # atomic; one is the log's own
    int32_t tag_count      # entries of `tags`; release by the writer, acquire by readers
    int64_t start          # log position of the first byte
    int64_t used           # bytes written; writer only (readers go by the head)
    uint32_t capacity      # bytes
    uint32_t tag_room      # entries
    Tag* tags              # inside the same allocation
    uint8_t* bytes         # likewise, or `map`
    size_t whole           # of the allocation, bytes; of no use with a map, whose page is the heap's
    void* map              # owned mapping of a file, read only; NULL: the bytes are in memory


cdef Page* page_new(int64_t start, uint32_t least, uint32_t tag_room) noexcept nogil
cdef void page_drop(Page* page) noexcept nogil
cdef Page* page_in_file(const Page* page, int fd, int64_t offset) noexcept nogil
cdef bint page_is_resident(const Page* page) noexcept nogil
cdef void page_touch(const Page* page) noexcept nogil
cdef int32_t page_tag_at(Page* page, int64_t position) noexcept nogil
