"""The past of a log as plain values, by which another process goes on with it.

Its places go with the log. Its pages are many, and change no more: they come behind, the newest first, while both
processes serve.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport load_be32
from fastflv._ext.log.block cimport Block, block_drop, block_hold, block_new
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.logstate cimport ROW_BYTES, is_time, page_index, page_view, row_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag, page_drop, page_new
from fastflv._ext.log.timeshift cimport Place, Timeshift, timeshift_give, timeshift_mark

from fastflv.errors import HandoverError

cdef int64_t POSITION_MAX = 1 << 62
cdef int64_t WALL_MS_MAX = 253402300799999  # the year 9999: what answers say of later ones cannot be written


def places_state(MediaLog log not None):
    """Return the places that have their headers as a dict: rows of numbers, and the headers that they name.

    Empty where the log keeps no past. All that was written must be published.
    """
    cdef Timeshift* past = log.log.past
    cdef Place* place
    cdef Block* told = NULL
    cdef int32_t i
    rows = []
    headers = []
    for i in range(past.place_count if past != NULL else 0):
        place = &past.places[past.place_first + i]
        if place.headers == NULL:
            break
        if place.headers != told:
            told = place.headers
            headers.append(told.bytes[:told.size])
        rows.append([
            place.position, place.dts_ms, place.wall_ms, len(headers) - 1, bool(place.audio), bool(place.video),
        ])
    return {"places": rows, "headers": headers}


def restore_places(MediaLog log not None, dict state not None):
    """Take what `places_state` gave; a log that keeps no past ignores it. Its log is restored before.

    Raises HandoverError, and what a conversion of a wrong value raises.
    """
    cdef Timeshift* past = log.log.past
    cdef Place* place
    cdef Block* block = NULL
    cdef int64_t position, dts_ms, wall_ms
    cdef int64_t behind = -1
    cdef bint audio, video
    cdef Py_ssize_t number
    cdef Py_ssize_t told = -1
    cdef bytes header
    cdef const uint8_t* data
    cdef list headers = state["headers"]
    if past == NULL:
        return
    if past.place_count:
        raise HandoverError("a log has a past already")
    try:
        for row in state["places"]:
            position, dts_ms, wall_ms, number, audio, video = row
            # An index in C is not checked.
            if not behind < position < log.log.written or not max(told, 0) <= number < len(headers):
                raise HandoverError("the places of a past are in no order, or have no headers")
            if not 0 <= wall_ms <= WALL_MS_MAX or not is_time(dts_ms):
                raise HandoverError("the times of a past cannot be counted with")
            behind = position
            if number != told:
                header = headers[number]
                data = header
                block_drop(block)
                block = block_new(data, <uint32_t>len(header))
                if block == NULL:
                    raise MemoryError
                past.bytes += block.size
                told = number
            timeshift_mark(past, position, dts_ms, audio, video)
            if past.place_count and past.places[past.place_first + past.place_count - 1].position == position:
                place = &past.places[past.place_first + past.place_count - 1]
                place.wall_ms = wall_ms
                block_hold(block)
                place.headers = block
    finally:
        block_drop(block)


def pages_before(MediaLog log not None, int64_t stop, int64_t most):
    """Return the newest pages of the past that end at *stop* or before, newest first, some *most* bytes."""
    cdef Timeshift* past = log.log.past
    cdef Page* page
    cdef int32_t i
    found = []
    i = past.first + past.count if past != NULL else 0
    while past != NULL and i > past.first and most > 0:
        i -= 1
        page = past.pages[i]
        if page.start + page.used > stop or page.used == 0:
            continue
        found.append({"start": page.start, "bytes": page_view(page), "index": page_index(page)})
        most -= page.used
    return found


def give_page(MediaLog log not None, dict state not None, uint32_t least):
    """Put a page of `pages_before` before the oldest one; False: it does not end there, or is not to be kept.

    *least*: shortest tag of the container, bytes. Raises HandoverError, and what a conversion of a wrong value raises.
    """
    cdef Log* core = log.log
    cdef int64_t start = state["start"]
    cdef const uint8_t[::1] body = state["bytes"]
    cdef bytes index = state["index"]
    cdef const uint8_t* row = index
    cdef Py_ssize_t count = len(index) // ROW_BYTES
    cdef int64_t front = core.pages[core.first].start if core.count else core.written
    cdef int64_t at = 0
    cdef Page* page
    cdef Tag* tag
    cdef Py_ssize_t i
    if core.past == NULL:
        return False
    if core.past.count:
        front = core.past.pages[core.past.first].start
    if not 0 <= start <= POSITION_MAX or start + body.shape[0] != front:
        return False
    if not 0 < body.shape[0] < 1 << 30 or count == 0 or count > body.shape[0] or len(index) % ROW_BYTES:
        raise HandoverError("a page of the past has no tags, or too many")
    page = page_new(start, <uint32_t>body.shape[0], <uint32_t>count)
    if page == NULL:
        raise MemoryError
    for i in range(count):
        tag = &page.tags[i]
        tag.offset = <uint32_t>at
        tag.size = load_be32(row)
        tag.dts_ms = row_ms(row)
        tag.kind = row[12]
        tag.flags = row[13]
        at += tag.size
        row += ROW_BYTES
        if tag.size < least or at > body.shape[0] or not is_time(tag.dts_ms):
            page_drop(page)
            raise HandoverError("the index of a page does not fit its bytes")
    if at != body.shape[0]:
        page_drop(page)
        raise HandoverError("the index of a page does not fit its bytes")
    memcpy(page.bytes, &body[0], <size_t>body.shape[0])
    page.used = body.shape[0]
    page.tag_count = <int32_t>count
    return timeshift_give(core.past, page, core.written_dts)
