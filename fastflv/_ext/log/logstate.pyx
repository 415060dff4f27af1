"""A log as plain values, by which another process goes on with it: the same bytes at the same positions."""

cimport cython
from cpython.buffer cimport PyBuffer_FillInfo
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcpy

from fastflv._ext.core.atomics cimport add32, load_relaxed, store32_release, store_relaxed, store_release
from fastflv._ext.core.octets cimport load_be32, store_be32
from fastflv._ext.log.block cimport block_drop, block_new
from fastflv._ext.log.log cimport log_commit, log_publish, log_reserve
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag, page_drop, page_tag_at

from fastflv.errors import HandoverError

cdef int64_t POSITION_MAX = 1 << 62
cdef int64_t TIME_MAX = 1 << 53        # sums and differences of such times are times in C and exact in Python


@cython.final
cdef class PageBytes:
    """The bytes that a page has, read where they are. It pins the page."""

    cdef Page* page
    cdef int64_t used

    def __dealloc__(self):
        if self.page != NULL:
            page_drop(self.page)

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        PyBuffer_FillInfo(buffer, self, self.page.bytes, <Py_ssize_t>self.used, 1, flags)


cdef bytes page_index(const Page* page):
    """Return a row for each tag of *page*."""
    cdef int32_t k
    cdef const Tag* tag
    cdef uint8_t row[ROW_BYTES]
    index = bytearray()
    for k in range(page.tag_count):
        tag = &page.tags[k]
        store_be32(row, tag.size)
        store_be32(row + 4, <uint32_t>((tag.dts_ms >> 32) & 0xFFFFFFFF))
        store_be32(row + 8, <uint32_t>(tag.dts_ms & 0xFFFFFFFF))
        row[12] = tag.kind
        row[13] = tag.flags
        index += row[:ROW_BYTES]
    return bytes(index)


cdef bint is_time(int64_t dts_ms) noexcept:
    """Return whether a stream time that was handed over can be counted with."""
    return -TIME_MAX <= dts_ms <= TIME_MAX


cdef int64_t row_ms(const uint8_t* row) noexcept:
    """Return the stream time in a row of `page_index`."""
    return <int64_t>((<uint64_t>load_be32(row + 4) << 32) | load_be32(row + 8))


cdef object page_view(Page* page):
    """Return a memoryview of what *page* has by now."""
    cdef PageBytes found = PageBytes.__new__(PageBytes)
    add32(&page.refs, 1)
    found.page = page
    found.used = page.used
    return memoryview(found)


def log_state(MediaLog log not None):
    """Return the log as a dict of numbers, bytes and views of its pages. All that was written must be published."""
    cdef int32_t i
    index = []
    pages = []
    if log.log.written != load_relaxed(&log.log.head):
        raise HandoverError("a log has tags that are not published")
    for i in range(log.log.first, log.log.first + log.log.count):
        pages.append(page_view(log.log.pages[i]))
        index.append(page_index(log.log.pages[i]))
    return {
        "tail": log.tail,
        "pages": pages,
        "index": b"".join(index),
        "dts_ms": log.log.written_dts,
        "key_pos": log.key_pos,
        "key_headers": log.key_headers,
        "key_tags": log.log.key_tags,
        "key_wait_ms": log.log.key_wait_ms,
        "epoch_ms": log.log.epoch_ms,
        "epoch_pos": log.log.epoch_pos,
        "has_video": bool(log.log.has_video),
        "bytes_per_second": log.log.bytes_per_second,
    }


def restore_log(MediaLog log not None, dict state not None, uint32_t least):
    """Write what `log_state` gave into a log that is empty; it is published then.

    *least*: shortest tag of the container, bytes. Raises HandoverError, and what a conversion of a wrong value raises.
    """
    cdef bytes index = state["index"]
    cdef bytes headers = state["key_headers"]
    cdef const uint8_t* row = index
    cdef const uint8_t* end = row + len(index)
    cdef int64_t key = state["key_pos"]
    if log.log.count or log.log.written:
        raise HandoverError("the log is not empty")
    log.log.written = state["tail"]
    if not 0 <= log.log.written <= POSITION_MAX or len(index) % ROW_BYTES:
        raise HandoverError("the position or the index of a log is wrong")
    # Readers, and who trims, see nothing before the head.
    store_relaxed(&log.log.head, log.log.written)
    for view in state["pages"]:
        row = write_page(log, view, row, end, least)
    if row != end:
        raise HandoverError("the index of a log does not fit its bytes")
    log.log.written_dts = state["dts_ms"]
    if not is_time(log.log.written_dts):
        raise HandoverError("the times of a log cannot be counted with")
    log.log.epoch_ms = state["epoch_ms"]
    store_release(&log.log.epoch_pos, state["epoch_pos"])
    log.log.key_wait_ms = state["key_wait_ms"]
    store_relaxed(&log.log.bytes_per_second, max(<int64_t>state["bytes_per_second"], <int64_t>0))
    store32_release(&log.log.has_video, 1 if state["has_video"] else 0)
    log_publish(log.log, False)
    if key >= 0 and starts_tag(log, key):
        block_drop(log.log.key_block)
        log.log.key_block = block_new(<const uint8_t*>headers, <uint32_t>len(headers))
        if log.log.key_block == NULL:
            raise MemoryError
        store_release(&log.log.key_pos, key)
        log.log.key_tags = state["key_tags"]


cdef const uint8_t* write_page(
    MediaLog log, const uint8_t[::1] body, const uint8_t* row, const uint8_t* end, uint32_t least
) except NULL:
    """Write the tags of one page, whose rows of the index begin at *row*; return the row behind them."""
    cdef int64_t at = 0
    cdef int64_t dts
    cdef uint32_t part
    cdef uint8_t* out
    while at < body.shape[0]:
        part = load_be32(row) if row < end else 0
        if part == 0 or part < least or <int64_t>part > body.shape[0] - at:
            raise HandoverError("the index of a log does not fit its bytes")
        dts = row_ms(row)
        if not is_time(dts):
            raise HandoverError("the times of a log cannot be counted with")
        out = log_reserve(log.log, part)
        if out == NULL:
            raise MemoryError
        memcpy(out, &body[at], part)
        log_commit(log.log, part, dts, row[12], row[13])
        at += part
        row += ROW_BYTES
    return row


cdef bint starts_tag(MediaLog log, int64_t position) noexcept:
    """Return whether a tag begins at *position*."""
    cdef int32_t i, k
    cdef Page* page
    for i in range(log.log.first, log.log.first + log.log.count):
        page = log.log.pages[i]
        if page.start <= position < page.start + page.used:
            k = page_tag_at(page, position)
            return k >= 0 and page.start + page.tags[k].offset == position
    return False
