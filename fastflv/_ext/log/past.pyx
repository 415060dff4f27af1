"""The past of a log: what it keeps beyond the pages that live players need, and where players may start in it."""

cimport cython
from libc.stdint cimport int32_t, int64_t
from libc.string cimport memcmp

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.log.block cimport Block
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, page_tag_at
from fastflv._ext.log.timeshift cimport (
    Place, Timeshift, place_before, timeshift_free, timeshift_new, timeshift_page, timeshift_prune,
)
from fastflv._ext.syntax.flvtag cimport COMMAND, CONFIG

from typing import NamedTuple


class Spot(NamedTuple):
    """A tag that a player may start with."""

    position: int
    dts_ms: int   # stream time
    wall_ms: int  # Unix time at which it was written


class Step(NamedTuple):
    """A place, and what a cut before it needs to know."""

    position: int
    dts_ms: int     # stream time
    wall_ms: int    # Unix time at which it was written
    before_ms: int  # stream time of the tag before it; -1 where that is not kept
    audio: bool     # the stream has audio
    video: bool     # the tag is a keyframe
    headers: bytes | None  # metadata and sequence headers as whole FLV tags; None: those of the step before


cdef Page* kept_page(const Log* log, int64_t position) noexcept nogil:
    """Return the page that holds *position*, NULL where it is not kept. Writer's thread only."""
    cdef int32_t i = log.first + log.count
    if log.past != NULL and (log.count == 0 or position < log.pages[log.first].start):
        return timeshift_page(log.past, position)
    while i > log.first:
        i -= 1
        if log.pages[i].start <= position:
            return log.pages[i] if position < log.pages[i].start + log.pages[i].used else NULL
    return NULL


cdef bint same_bytes(const Block* one, const Block* other) noexcept nogil:
    return one == other or (one.size == other.size and memcmp(one.bytes, other.bytes, one.size) == 0)


@cython.final
cdef class Past:
    """Keeps the pages of *log* for *window_ms* beyond its own bounds, *bytes_max* bytes of them at most.

    Belongs to the event loop. The log keeps the past until `close`, or until it is freed itself.
    """

    def __init__(self, MediaLog log not None, *, int64_t window_ms, int64_t bytes_max):
        self.log = log
        if log.log.past == NULL:
            log.log.past = timeshift_new()
        if log.log.past == NULL:
            raise MemoryError
        self.adopt(window_ms=window_ms, bytes_max=bytes_max)

    def adopt(self, *, int64_t window_ms, int64_t bytes_max):
        """Take other bounds; what they do not keep is dropped at once."""
        if self.log.log.past == NULL:
            return
        self.log.log.past.window_ms = window_ms
        self.log.log.past.bytes_max = bytes_max
        timeshift_prune(self.log.log.past, self.log.log.written_dts)

    def close(self):
        """Drop the past; the log keeps what live players need."""
        timeshift_free(self.log.log.past)
        self.log.log.past = NULL

    @property
    def kept_bytes(self):
        """Memory of the pages here, bytes."""
        return self.log.log.past.bytes if self.log.log.past != NULL else 0

    cdef int32_t count(self) noexcept:
        """Return how many places are published, with their headers."""
        cdef Timeshift* past = self.log.log.past
        cdef Place* place
        cdef int32_t n = past.place_count if past != NULL else 0
        while n:
            place = &past.places[past.place_first + n - 1]
            if place.headers != NULL and place.position < load_relaxed(&self.log.log.head):
                break
            n -= 1
        return n

    cdef int32_t first(self) noexcept:
        """Return the index of the oldest place whose page is kept."""
        cdef int32_t i
        cdef int32_t n = self.count()
        for i in range(n):
            if kept_page(self.log.log, self.log.log.past.places[self.log.log.past.place_first + i].position) != NULL:
                return i
        return n

    cdef object spot(self, int32_t i):
        cdef Place* place = &self.log.log.past.places[self.log.log.past.place_first + i]
        return Spot(place.position, place.dts_ms, place.wall_ms)

    @property
    def spots(self):
        """Every place where a player may start, oldest first. Called by tests alone."""
        return [self.spot(i) for i in range(self.first(), self.count())]

    @property
    def oldest(self):
        """The oldest place, None without one."""
        cdef int32_t i = self.first()
        return self.spot(i) if i < self.count() else None

    @property
    def newest(self):
        """The newest place, None without one. Called by tests alone."""
        cdef int32_t n = self.count()
        return self.spot(n - 1) if self.first() < n else None

    def steps(self, int64_t behind, int32_t most):
        """Return *most* places behind the position *behind*, oldest first; the first of them has its headers."""
        cdef int32_t n = self.count()
        cdef int32_t low = self.first()
        cdef int32_t high = n
        cdef int32_t middle, i
        cdef Place* rows = self.log.log.past.places + self.log.log.past.place_first if n else NULL
        cdef Page* page
        cdef Block* block
        cdef Block* told = NULL
        cdef int64_t before
        cdef list found = []
        while low < high:
            middle = low + (high - low) // 2
            if rows[middle].position <= behind:
                low = middle + 1
            else:
                high = middle
        for low in range(low, min(n, low + most)):
            page = kept_page(self.log.log, rows[low].position - 1)
            i = page_tag_at(page, rows[low].position - 1) if page != NULL else -1
            before = page.tags[i].dts_ms if i >= 0 else -1
            block = rows[low].headers
            if told != NULL and same_bytes(told, block):
                headers = None
            else:
                headers = block.bytes[:block.size]
            told = block
            found.append(
                Step(
                    rows[low].position, rows[low].dts_ms, rows[low].wall_ms, before, bool(rows[low].audio),
                    bool(rows[low].video), headers,
                )
            )
        return found

    def tag_before(self, int64_t position, int64_t dts_ms, int kind):
        """Return position and time of the newest frame of *kind* (8, 9) that is not behind *dts_ms*.

        It comes behind the tag at *position*, before which nothing is looked for; None without one.
        """
        cdef Log* log = self.log.log
        cdef int64_t head = load_relaxed(&log.head)
        cdef int64_t at = position
        cdef Page* page = kept_page(log, at)
        cdef int32_t i
        found = None
        while page != NULL:
            i = page_tag_at(page, at)
            while 0 <= i < page.tag_count and at < head:
                if at > position and page.tags[i].kind == kind and not page.tags[i].flags & (CONFIG | COMMAND):
                    if page.tags[i].dts_ms > dts_ms:
                        return found
                    found = at, page.tags[i].dts_ms
                at = page.start + page.tags[i].offset + page.tags[i].size
                i += 1
            page = kept_page(log, at) if i > 0 and at < head else NULL
        return found

    def nearest(self, int64_t dts_ms):
        """Return the place nearest to *dts_ms*, of two equally near ones the older; None without one."""
        cdef int32_t n = self.count()
        cdef int32_t low = self.first()
        cdef int32_t i
        cdef Place* rows
        if low >= n:
            return None
        rows = self.log.log.past.places + self.log.log.past.place_first
        i = min(max(place_before(self.log.log.past, dts_ms), low), n - 1)
        if i + 1 < n and rows[i + 1].dts_ms - dts_ms < dts_ms - rows[i].dts_ms:
            i += 1
        return self.spot(i)

    def before(self, int64_t dts_ms):
        """Return the newest place that is not behind *dts_ms*, else the oldest one; None without any."""
        cdef int32_t n = self.count()
        cdef int32_t low = self.first()
        return self.spot(min(max(place_before(self.log.log.past, dts_ms), low), n - 1)) if low < n else None

    def dts_at(self, int64_t wall_ms):
        """Return the stream time that was written at the Unix time *wall_ms*, ms.

        Before the oldest place and behind the newest one both clocks are taken to go alike.
        """
        cdef int32_t n = self.count()
        cdef int32_t i = self.first()
        cdef Place* rows
        cdef int64_t dts
        if i >= n:
            return load_relaxed(&self.log.log.head_dts)
        rows = self.log.log.past.places + self.log.log.past.place_first
        while i + 1 < n and rows[i + 1].wall_ms <= wall_ms:
            i += 1
        dts = rows[i].dts_ms + wall_ms - rows[i].wall_ms
        return min(dts, rows[i + 1].dts_ms) if i + 1 < n else dts
