"""The past of a log: what its bounds keep, and where a player may start. See timeshift.pxd for ownership."""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memcpy, memmove
from posix.time cimport CLOCK_REALTIME, clock_gettime, timespec

from fastflv._ext.log.block cimport Block, block_drop, block_hold
from fastflv._ext.log.page cimport Page, page_drop


cdef Timeshift* timeshift_new() noexcept nogil:
    return <Timeshift*>calloc(1, sizeof(Timeshift))


cdef void timeshift_free(Timeshift* past) noexcept nogil:
    if past == NULL:
        return
    while past.count:
        drop_page(past)
    while past.place_count:
        drop_place(past)
    free(past.pages)
    free(past.places)
    free(past)


cdef void drop_page(Timeshift* past) noexcept nogil:
    """Drop the oldest page."""
    cdef Page* page = past.pages[past.first]
    past.bytes -= page.capacity
    past.first += 1
    past.count -= 1
    page_drop(page)


cdef void drop_place(Timeshift* past) noexcept nogil:
    """Drop the oldest place."""
    cdef Block* headers = past.places[past.place_first].headers
    # Places of one read share a block, which the newest of them frees.
    if headers != NULL and (past.place_count == 1 or past.places[past.place_first + 1].headers != headers):
        past.bytes -= headers.size
    block_drop(headers)
    past.place_first += 1
    past.place_count -= 1


cdef void* make_room(void* rows, int32_t* first, int32_t count, int32_t* room, size_t size) noexcept nogil:
    """Return *rows* with room for one more behind the last; NULL without memory, and then nothing has changed."""
    cdef void* grown
    if first[0] + count < room[0]:
        return rows
    if first[0] > room[0] // 2:
        memmove(rows, <char*>rows + first[0] * size, count * size)
        first[0] = 0
        return rows
    grown = realloc(rows, (room[0] * 2 + 16) * size)
    if grown != NULL:
        room[0] = room[0] * 2 + 16
    return grown


# --- places ---------------------------------------------------------------------------------

cdef int64_t wall_clock_ms() noexcept nogil:
    cdef timespec now
    clock_gettime(CLOCK_REALTIME, &now)
    return <int64_t>now.tv_sec * 1000 + now.tv_nsec // 1000000


cdef void timeshift_mark(Timeshift* past, int64_t position, int64_t dts_ms, bint audio, bint video) noexcept nogil:
    """Add a place to start, whose headers follow. Without memory there is one place less."""
    cdef Place* place
    cdef void* rows = make_room(
        past.places, &past.place_first, past.place_count, &past.place_room, sizeof(Place)
    )
    if rows == NULL:
        return
    past.places = <Place*>rows
    place = &past.places[past.place_first + past.place_count]
    place.position = position
    place.dts_ms = dts_ms
    place.wall_ms = wall_clock_ms()
    place.headers = NULL
    place.audio = audio
    place.video = video
    past.place_count += 1


cdef void timeshift_give_headers(Timeshift* past, Block* headers, int64_t head_dts) noexcept nogil:
    """Give *headers* to the places that have none yet; each takes a reference."""
    cdef int32_t i = past.place_first + past.place_count - 1
    while i >= past.place_first and past.places[i].headers == NULL:
        block_hold(headers)
        past.places[i].headers = headers
        i -= 1
    if i < past.place_first + past.place_count - 1:
        past.bytes += headers.size
        timeshift_prune(past, head_dts)


cdef void timeshift_replace_headers(Timeshift* past, Block* headers) noexcept nogil:
    """Replace the headers of the newest place, which takes a reference."""
    cdef Place* place
    if past.place_count == 0:
        return
    place = &past.places[past.place_first + past.place_count - 1]
    if place.headers != NULL and (past.place_count == 1 or (place - 1).headers != place.headers):
        past.bytes -= place.headers.size
    past.bytes += headers.size
    block_hold(headers)
    block_drop(place.headers)
    place.headers = headers


cdef int32_t place_before(const Timeshift* past, int64_t dts_ms) noexcept nogil:
    """Return the index of the newest place that is not behind *dts_ms*, counted from the oldest; -1 without one."""
    cdef int32_t low = -1
    cdef int32_t high = past.place_count - 1
    cdef int32_t middle
    while low < high:
        middle = low + (high - low + 1) // 2
        if past.places[past.place_first + middle].dts_ms <= dts_ms:
            low = middle
        else:
            high = middle - 1
    return low


cdef Place* place_at(const Timeshift* past, int64_t position) noexcept nogil:
    """Return the place of the tag at *position*, NULL where it is none."""
    cdef int32_t low = past.place_first
    cdef int32_t high = past.place_first + past.place_count - 1
    cdef int32_t middle
    while low <= high:
        middle = low + (high - low) // 2
        if past.places[middle].position == position:
            return &past.places[middle]
        if past.places[middle].position < position:
            low = middle + 1
        else:
            high = middle - 1
    return NULL


# --- pages ----------------------------------------------------------------------------------

cdef void timeshift_take(Timeshift* past, Page* page, int64_t head_dts) noexcept nogil:
    """Take over the reference to the page that leaves the list of the log; drop what the bounds do not keep."""
    cdef void* rows = make_room(past.pages, &past.first, past.count, &past.room, sizeof(Page*))
    if rows == NULL:
        # The past ends here: what is older does not join what follows.
        while past.count:
            drop_page(past)
        forget_places(past, page.start + page.used)
        page_drop(page)
        return
    past.pages = <Page**>rows
    past.pages[past.first + past.count] = page
    past.count += 1
    past.bytes += page.capacity
    timeshift_prune(past, head_dts)


cdef bint timeshift_give(Timeshift* past, Page* page, int64_t head_dts) noexcept nogil:
    """Take over the reference to a page that ends where the oldest one begins; False: the bounds do not keep it."""
    cdef int64_t start = page.start
    cdef int32_t room = past.count * 2 + 16
    cdef Page** grown
    if past.first == 0:
        # The array is filled from its end.
        grown = <Page**>calloc(room, sizeof(Page*))
        if grown == NULL:
            page_drop(page)
            return False
        if past.count:
            memcpy(grown + room - past.count - 8, past.pages, past.count * sizeof(Page*))
        free(past.pages)
        past.pages = grown
        past.first = room - past.count - 8
        past.room = room
    past.first -= 1
    past.count += 1
    past.pages[past.first] = page
    past.bytes += page.capacity
    timeshift_prune(past, head_dts)
    return past.count > 0 and past.pages[past.first].start == start


cdef void forget_places(Timeshift* past, int64_t tail) noexcept nogil:
    """Drop the places before *tail*."""
    while past.place_count and past.places[past.place_first].position < tail:
        drop_place(past)


cdef void timeshift_prune(Timeshift* past, int64_t head_dts) noexcept nogil:
    """Drop the oldest pages: beyond `bytes_max`, and those that a start at the far end of the window does not need.

    Places of the pages that the log keeps itself go last: headers may be larger than the media between them.
    """
    cdef int32_t i = place_before(past, head_dts - past.window_ms)
    cdef int64_t wanted = past.places[past.place_first + i].position if i >= 0 else 0
    cdef int64_t tail = -1
    cdef Page* page
    while past.count:
        page = past.pages[past.first]
        if past.bytes <= past.bytes_max and page.start + page.used > wanted:
            break
        tail = page.start + page.used
        drop_page(past)
    forget_places(past, tail)
    while past.bytes > past.bytes_max and past.place_count:
        drop_place(past)


cdef int32_t page_index(const Timeshift* past, int64_t position) noexcept nogil:
    """Return the index of the page that holds *position*, -1 where it is not here."""
    cdef int32_t low = past.first
    cdef int32_t high = past.first + past.count - 1
    cdef int32_t middle
    cdef Page* page
    while low <= high:
        middle = low + (high - low) // 2
        page = past.pages[middle]
        if position < page.start:
            high = middle - 1
        elif position >= page.start + page.used:
            low = middle + 1
        else:
            return middle
    return -1


cdef Page* timeshift_page(const Timeshift* past, int64_t position) noexcept nogil:
    """Return the page that holds *position*, NULL where it is not here."""
    cdef int32_t i = page_index(past, position)
    return past.pages[i] if i >= 0 else NULL


cdef bint timeshift_exchange(Timeshift* past, Page* old, Page* new) noexcept nogil:
    """Put *new* in the place of *old*, which has the same tags, and take over its reference; False: *old* is gone."""
    cdef int32_t i = page_index(past, old.start)
    if i < 0 or past.pages[i] != old:
        return False
    past.bytes += <int64_t>new.capacity - old.capacity
    past.pages[i] = new
    page_drop(old)
    return True
