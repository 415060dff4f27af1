"""A log written once more from a place in its past, as late as its players are.

The tags are copied with times of their own, which begin near 0; so nothing of the past need fit the times that players
of the source are told. A replay goes as far as it is told to (`advance`). Once it has all there is, it is live: it
follows the source like any remux.
"""

cimport cython
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from fastflv._ext.core.atomics cimport load32_acquire, load32_relaxed, load_relaxed, store32_release
from fastflv._ext.log.block cimport Block, block_drop, block_hold, block_new
from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.keyheaders cimport set_key_headers
from fastflv._ext.log.log cimport log_commit, log_mark_key, log_reserve, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag, page_is_resident, page_tag_at
from fastflv._ext.log.past cimport kept_page
from fastflv._ext.log.timeshift cimport Place, Timeshift, place_at
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, KEY, NOTES, TAG_FRAME_BYTES, TAG_SCRIPT, TAG_VIDEO, restamp_tags, write_tag_header,
)

from fastflv import limits
from fastflv.errors import UsageError

cdef int64_t EPOCH_MS = limits.TIME_EPOCH_MS
cdef int64_t LEAD_MS = limits.REWIND_LEAD_MS
cdef int WAITS_MAX = limits.REWIND_WAITS_MAX


@cython.final
cdef class Replay(Follower):
    """Writes *log* from *source*, from the place at *position* on. Belongs to the event loop.

    *rate*: how many ms of the stream are told as one, above 0; 1 once it is live. Raises UsageError where there is no
    such place any more.
    """

    cdef readonly MediaLog source
    cdef readonly MediaLog log
    cdef readonly bint is_live        # it has all that the source has, and follows it
    cdef readonly bint has_audio
    cdef readonly bint has_video
    cdef readonly int64_t now_ms      # as of a StreamWriter; starts of this log are made once, so it stands still
    cdef Block* headers               # referenced; of the newest place that was passed
    cdef int64_t at                   # position in `source` behind the last tag taken
    cdef int64_t from_ms              # time of the source that is told as `to_ms`
    cdef int64_t to_ms
    cdef double rate
    cdef int64_t ready_pos            # of the page that is being read, which is in memory
    cdef int waits                    # calls in a row that left because the next page was not

    def __init__(self, MediaLog source not None, MediaLog log not None, int64_t position, double rate):
        cdef Place* place = place_at(source.log.past, position) if source.log.past != NULL else NULL
        if place == NULL or place.headers == NULL or kept_page(source.log, position) == NULL:
            raise UsageError(f"the past has no place at {position}")
        self.source = source
        self.log = log
        self.at = position
        self.from_ms = self.to_ms = place.dts_ms
        self.rate = rate
        self.ready_pos = -1
        log.log.epoch_ms = max(place.dts_ms - LEAD_MS, <int64_t>0)
        self.pass_place(place)
        if self.has_video and self.is_at_hand(kept_page(source.log, position)):
            # Its outlets begin with the keyframe; else their players start with it once it is there.
            self.take_next(kept_page(source.log, position))
            self.log.publish(True)

    def __dealloc__(self):
        block_drop(self.headers)

    cdef bint is_at_hand(self, const Page* page) noexcept:
        """Return whether *page* can be read at once: the disk is waited for at later calls, up to WAITS_MAX times."""
        if page.start == self.ready_pos or self.waits >= WAITS_MAX or page_is_resident(page):
            self.ready_pos = page.start
            self.waits = 0
            return True
        self.waits += 1
        return False

    cdef int64_t told(self, int64_t dts_ms) noexcept:
        """Return the time of *log* for a time of the source."""
        return self.to_ms + <int64_t>((dts_ms - self.from_ms) / self.rate)

    cdef int pass_place(self, const Place* place) except -1:
        """Note the headers of a place, and what there is from it on."""
        block_hold(place.headers)
        block_drop(self.headers)
        self.headers = place.headers
        self.has_audio = place.audio
        self.has_video = place.video
        store32_release(&self.log.log.has_video, place.video)
        return 0

    def header_tags(self, int64_t dts_ms):
        """Return metadata and sequence headers as FLV tags stamped with *dts_ms* of `log`, the metadata 0."""
        cdef Block* block = self.stamped(dts_ms)
        try:
            return block.bytes[:block.size]
        finally:
            block_drop(block)

    cdef Block* stamped(self, int64_t dts_ms) except NULL:
        """Return the headers of the newest place with the time *dts_ms* of `log`; the caller owns the reference."""
        cdef Block* block = block_new(self.headers.bytes, self.headers.size)
        if block == NULL:
            raise MemoryError
        restamp_tags(block.bytes, block.size, told_ms(self.log.log, dts_ms))
        return block

    cdef int take_next(self, Page* page) except -1:
        """Copy the tag at `at`, which lies in *page*."""
        cdef Tag* tag = &page.tags[page_tag_at(page, self.at)]
        cdef int64_t dts = self.told(tag.dts_ms)
        cdef int64_t position
        cdef Place* place = NULL
        cdef uint8_t* out
        if tag.flags & (CONFIG | COMMAND) == 0 and (tag.flags & KEY or not self.has_video):
            place = place_at(self.source.log.past, self.at) if self.source.log.past != NULL else NULL
        if place != NULL and place.headers != NULL:
            self.pass_place(place)
        out = log_reserve(self.log.log, tag.size)
        if out == NULL:
            raise MemoryError
        position = self.log.log.written
        memcpy(out, page.bytes + tag.offset, tag.size)
        if tag.kind != TAG_SCRIPT or not tag.flags & NOTES:
            write_tag_header(out, tag.kind, tag.size - TAG_FRAME_BYTES, told_ms(self.log.log, dts))
        log_commit(self.log.log, tag.size, dts, tag.kind, tag.flags)
        if place != NULL and tag.kind == TAG_VIDEO:
            log_mark_key(self.log.log, position, self.stamped(dts))
        self.at += tag.size
        return 0

    cdef bint take_until(self, int64_t until_ms) except -1:
        """Copy all tags up to the first one behind *until_ms*; return whether a picture was among them."""
        cdef int64_t head = load_relaxed(&self.source.log.head)
        cdef bint pictures = False
        cdef Page* page
        cdef Tag* tag
        while self.at < head:
            page = kept_page(self.source.log, self.at)
            if page == NULL:
                self.skip()
                page = kept_page(self.source.log, self.at)
                if page == NULL:
                    break
            tag = &page.tags[page_tag_at(page, self.at)]
            if tag.dts_ms > until_ms or not self.is_at_hand(page):
                break
            pictures = pictures or tag.kind == TAG_VIDEO
            self.take_next(page)
        return pictures

    cdef int skip(self) except -1:
        """Go on at the oldest place that is kept: what was to follow is gone."""
        cdef Timeshift* past = self.source.log.past
        cdef int32_t i
        cdef Place* place
        self.at = load_relaxed(&self.source.log.head)
        if past == NULL:
            return 0
        for i in range(past.place_first, past.place_first + past.place_count):
            place = &past.places[i]
            if place.headers != NULL and kept_page(self.source.log, place.position) != NULL:
                self.at = min(place.position, self.at)
                break
        return 0

    def advance(self, int64_t until_ms):
        """Write the tags up to the stream time *until_ms*, and be live once that is all."""
        cdef bint pictures
        cdef int64_t before = self.log.log.written
        if self.is_live or load32_relaxed(&self.log.log.ended):
            return
        # Of several tracks the newest tag need not have the greatest time.
        pictures = self.take_until(until_ms if until_ms < load_relaxed(&self.source.log.head_dts) else INT64_MAX)
        if self.log.log.written != before:
            self.log.publish(pictures)
        if self.at < load_relaxed(&self.source.log.head):
            self.end_epoch(until_ms)
        elif load32_acquire(&self.source.log.ended):
            self.log.end()
        else:
            self.is_live = True
            self.to_ms = self.told(load_relaxed(&self.source.log.head_dts))
            self.from_ms = load_relaxed(&self.source.log.head_dts)
            self.rate = 1
            self.source.attach(self)

    def stop(self):
        """Stop following the source; the log stays as it is."""
        self.source.detach(self)

    cdef int follow(self, bint urgent) except -1:
        self.take_until(INT64_MAX)
        self.log.publish(urgent)
        self.end_epoch(load_relaxed(&self.source.log.head_dts))
        return 0

    cdef int end_epoch(self, int64_t dts_ms) except -1:
        """End the log before FLV's 31 bits of time are used up."""
        if self.told(dts_ms) - self.log.log.epoch_ms > EPOCH_MS:
            self.source.detach(self)
            self.log.end()
        return 0

    cdef int rekey(self) except -1:
        cdef Place* place = NULL
        if self.source.log.past != NULL:
            place = place_at(self.source.log.past, load_relaxed(&self.source.log.key_pos))
        if place == NULL or place.headers == NULL or load_relaxed(&self.log.log.key_pos) < 0:
            return 0
        self.pass_place(place)
        return set_key_headers(self.log, self.header_tags(self.log.key_dts))

    cdef int forget_key(self) except -1:
        self.log.forget_key()
        return 0

    cdef int end(self) except -1:
        self.log.end()
        return 0

    cdef int fail(self) except -1:
        self.log.end()
        return 0
