"""A reader of a log on the event loop: for TLS players, recorders and segmenters.

Cursors at the same position return the same bytes object, so a send to many players is formatted once.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport INT64_MAX, int32_t, int64_t, uint8_t
from libc.string cimport memcpy

from fastflv._ext.core.atomics cimport add32, load32_relaxed, load_relaxed
from fastflv._ext.fanout.framing cimport FRAME_HEADER_MAX, FRAMING_CHUNKED, FRAMING_RAW, write_frame_header
from fastflv._ext.fanout.ladder cimport choose_skip, skip_leading, skip_pictures, skip_stop, skip_until_key
from fastflv._ext.fanout.lag cimport INTER, Mark, Thinning, mark_lag
from fastflv._ext.log.block cimport Block, block_drop
from fastflv._ext.log.floor cimport Floor
from fastflv._ext.log.log cimport Log, log_add_floor, log_drop, log_hold, log_remove_floor
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.mediatag cimport MediaTag, PagePin, PinnedBytes, pin_page, tag_in_page, tags_in_bytes
from fastflv._ext.log.page cimport Page, Tag, page_tag_at
from fastflv._ext.log.view cimport View

from fastflv import limits
from fastflv._ext.fanout.framing import frame_ends
from fastflv.errors import UsageError

cdef int64_t SEND_MAX = limits.LOOP_SEND_BYTES_MAX


cdef Page* page_at(Log* log, int64_t position) noexcept nogil:
    """Return the page that holds *position*, NULL when it was trimmed or is not written. Writer's thread only."""
    cdef int32_t i = log.first + log.count
    while i > log.first:
        i -= 1
        if log.pages[i].start <= position:
            return log.pages[i] if position < log.pages[i].start + log.pages[i].used else NULL
    return NULL


cdef int64_t stop_at(Log* log, int64_t position, int64_t most) noexcept nogil:
    """Return the end of a run of whole tags from *position* on: at most *most* bytes, but at least one tag."""
    cdef int64_t head = load_relaxed(&log.head)
    cdef Page* page
    cdef Tag* tag
    cdef int32_t i
    if head - position <= most:
        return head
    page = page_at(log, position + most)
    if page == NULL:
        return head
    i = page_tag_at(page, position + most)
    tag = &page.tags[max(i, 0)]
    if page.start + tag.offset > position:
        return page.start + tag.offset
    return page.start + tag.offset + tag.size


cdef bytes copy(Log* log, int64_t position, int64_t stop, uint8_t framing):
    """Return [position, stop) of the log as one framed bytes object."""
    cdef uint8_t header[FRAME_HEADER_MAX]
    cdef int head = 0 if framing == FRAMING_RAW else write_frame_header(header, framing, stop - position)
    cdef int tail = 2 if framing == FRAMING_CHUNKED else 0
    cdef bytes out = PyBytes_FromStringAndSize(NULL, head + (stop - position) + tail)
    cdef uint8_t* p = <uint8_t*>PyBytes_AS_STRING(out)
    cdef Page* page
    cdef int64_t end
    memcpy(p, header, head)
    p += head
    while position < stop:
        page = page_at(log, position)
        end = min(stop, page.start + page.used)
        memcpy(p, page.bytes + (position - page.start), end - position)
        p += end - position
        position = end
    if tail:
        p[0] = 13
        p[1] = 10
    return out


@cython.final
cdef class Cursor:
    """A position in a log. Counts as a reader until `close`. Belongs to the event loop.

    *position*: of the first byte; -1: the next keyframe. With *until_key*, pictures before the next keyframe are left
    out, for the `key_wait_ms` of the log at most. Beyond a lag of *drop_ms* disposable pictures are left out; beyond
    *jump_ms* the cursor goes on at the newest keyframe, as players of sender threads do.
    """

    cdef readonly MediaLog log
    cdef readonly int framing
    cdef readonly int64_t jumps       # how often lag moved it on
    cdef Log* source                  # referenced: the garbage collector may clear `log` before `__dealloc__`
    cdef Floor floor                  # `pos` as of the last take
    cdef int64_t pos
    cdef int64_t wait_pos
    cdef int64_t epoch_pos            # where the epoch begins that its reader was told times of
    cdef readonly int64_t lag_ms      # at the last take
    cdef public int64_t jump_ms       # lag beyond which it goes on at the newest keyframe, ms
    cdef int64_t credit_ms            # age of the start until it is sent, which is no lag
    cdef int64_t given                # bytes returned by `take`, framing included
    cdef Mark unacknowledged
    cdef Thinning thin
    cdef bytes before                 # what the reader needs before the run that `next_run` found
    cdef int64_t shown_jumps          # those that a MediaTag tells of
    cdef bint waiting
    cdef bint is_open

    def __cinit__(
        self, MediaLog log not None, *, int64_t position=-1, int framing=FRAMING_RAW,
        int64_t drop_ms=limits.LAG_DROP_MS, int64_t jump_ms=limits.LAG_JUMP_MS, bint until_key=False,
    ):
        cdef bint trimmed
        self.log = log
        self.framing = framing
        self.jump_ms = jump_ms
        self.thin.drop_ms = drop_ms
        # Leading pictures of the first keyframe refer to pictures that the reader was not sent.
        skip_leading(&self.thin)
        if until_key:
            skip_until_key(&self.thin, log.log)
        self.pos = position
        if position < 0:
            self.pos = load_relaxed(&log.log.head)
            self.wait_pos = self.pos
            self.waiting = True
        elif position > load_relaxed(&log.log.head):
            raise UsageError(f"position {position} is behind the head of the log")
        self.epoch_pos = log.log.epoch_pos if self.pos >= log.log.epoch_pos else -1
        self.credit_ms = max(load_relaxed(&log.log.head_dts) - self.next_dts(&trimmed), <int64_t>0)
        self.source = log.log
        log_hold(self.source)
        add32(&self.source.readers, 1)
        self.floor.pos = self.pos
        log_add_floor(self.source, &self.floor)
        self.is_open = True

    def __dealloc__(self):
        if self.is_open:
            self.leave()
        if self.source != NULL:
            log_drop(self.source)

    def close(self):
        """Stop reading; the log keeps no history for this reader any more."""
        if self.is_open:
            self.is_open = False
            self.leave()

    cdef void leave(self) noexcept:
        add32(&self.source.readers, -1)
        log_remove_floor(self.source, &self.floor)

    @property
    def position(self):
        """Log position of the next byte, -1 while it waits for a keyframe."""
        return -1 if self.waiting else self.pos

    @property
    def drop_ms(self):
        """Lag beyond which disposable pictures are left out, ms."""
        return self.thin.drop_ms

    @drop_ms.setter
    def drop_ms(self, int64_t value):
        self.thin.drop_ms = value

    @property
    def drops(self):
        """How often lag began to leave out disposable pictures."""
        return self.thin.drops

    @property
    def dropped(self):
        """Pictures left out one by one; those that a jump passed over are not counted."""
        return self.thin.dropped

    @property
    def done(self):
        """The log has ended, and nothing is left to read."""
        return bool(
            load32_relaxed(&self.log.log.ended) and (self.waiting or self.pos >= load_relaxed(&self.log.log.head))
        )

    @property
    def expired(self):
        """`take` has returned all of the epoch that it began in: the times of what follows count anew."""
        return bool(
            self.epoch_pos != self.log.log.epoch_pos and (self.waiting or self.pos >= self.log.log.epoch_pos)
        )

    cdef int64_t next_dts(self, bint* trimmed) noexcept:
        """Return the time of the next tag; without one, of the head. *trimmed*: set where the tag is no longer kept."""
        cdef Log* log = self.log.log
        cdef Page* page
        cdef int32_t i
        trimmed[0] = False
        if self.waiting or self.pos >= load_relaxed(&log.head):
            return load_relaxed(&log.head_dts)
        page = page_at(log, self.pos)
        i = page_tag_at(page, self.pos) if page != NULL else -1
        trimmed[0] = i < 0
        return page.tags[i].dts_ms if i >= 0 else log.pages[log.first].tags[0].dts_ms

    cdef void look(self, int64_t unacked) noexcept:
        """Measure the lag, and decide whether to leave out pictures or to jump."""
        cdef Log* log = self.log.log
        cdef int64_t head_dts = load_relaxed(&log.head_dts)
        cdef bint trimmed
        cdef int64_t next_dts = self.next_dts(&trimmed)
        if unacked < 0:
            self.lag_ms = 0
        else:
            # The peer's count includes bytes that were sent before the cursor's first.
            self.lag_ms = mark_lag(
                &self.unacknowledged, self.given, min(unacked, self.given), next_dts, head_dts
            )
            self.lag_ms = max(self.lag_ms - self.credit_ms, <int64_t>0)
        choose_skip(&self.thin, self.lag_ms)
        if trimmed or (
            not self.waiting and self.pos < load_relaxed(&log.head) and self.lag_ms > self.jump_ms
            and not 0 <= load_relaxed(&log.key_pos) <= self.pos
        ):
            self.jumps += 1
            self.waiting = True
            self.wait_pos = self.pos

    def measure(self, int64_t unacked):
        """Return the age of the oldest media that the peer has not acknowledged, ms. *unacked*: as for `take`."""
        self.look(unacked)
        return self.lag_ms

    cdef int64_t next_run(self, int64_t unacked, int64_t most) except -1:
        """Go to the next run of whole tags, and return where it ends: `pos` where nothing is new.

        *unacked*, *most*: as for `take`, and bytes. `before` is what the reader needs before the run.
        """
        cdef Log* log = self.log.log
        cdef int64_t edge = load_relaxed(&log.head)
        cdef int64_t stop
        cdef Block* bridge = NULL
        cdef View view
        self.before = b""
        self.look(unacked)
        self.floor.pos = INT64_MAX if self.waiting else self.pos
        if self.epoch_pos != log.epoch_pos:
            edge = min(edge, log.epoch_pos)
            if self.waiting:
                return self.pos
        if self.waiting:
            if load32_relaxed(&log.has_video) == 0:
                self.pos = load_relaxed(&log.head)
            elif load_relaxed(&log.key_pos) < max(self.wait_pos, <int64_t>0):
                return self.pos
            else:
                self.pos = load_relaxed(&log.key_pos)
                self.before = self.log.key_headers
                skip_leading(&self.thin)
                self.thin.bridge = 0
            self.waiting = False
            self.floor.pos = self.pos
        # Borrowed: this is the writer's thread, so the pages cannot change meanwhile.
        view.pages = log.pages + log.first
        view.count = log.count
        if self.thin.skip or self.thin.bridge:
            self.pos = skip_pictures(&self.thin, log, &view, self.pos, edge, &bridge)
            if self.pos < 0:
                raise MemoryError
            if bridge != NULL:
                self.before = self.before + bridge.bytes[:bridge.size]
                block_drop(bridge)
        if self.pos >= edge:
            self.credit_ms = 0
            return self.pos
        stop = min(stop_at(log, self.pos, most), edge)
        if self.thin.skip or self.thin.bridge:
            stop = skip_stop(&self.thin, &view, self.pos, stop)
        return stop

    def take(self, int64_t unacked=0):
        """Return new tags as one framed bytes object, b"" without any.

        At most LOOP_SEND_BYTES_MAX bytes, or one tag that is longer. *unacked*: bytes returned before that the peer has
        not acknowledged; -1: the reader keeps up, and its position is no lag. Raises MemoryError.
        """
        cdef Log* log = self.log.log
        cdef int64_t stop = self.next_run(unacked, SEND_MAX)
        cdef bytes out
        if stop == self.pos:
            return b""
        if self.log.shared is None or (
            self.log.shared_pos != self.pos or self.log.shared_stop != stop or self.log.shared_framing != self.framing
        ):
            self.log.shared = copy(log, self.pos, stop, <uint8_t>self.framing)
            self.log.shared_pos = self.pos
            self.log.shared_stop = stop
            self.log.shared_framing = self.framing
        self.pos = stop
        out = self.log.shared
        if self.before:
            head, tail = frame_ends(self.framing, len(self.before))
            out = head + self.before + tail + out
        self.given += len(out)
        return out

    @property
    def waits(self):
        """No picture is taken before the next keyframe."""
        return bool(self.waiting or self.thin.skip & INTER)

    def take_views(self, PinnedBytes pins not None, int64_t most):
        """Return new tags as MediaTags, oldest first: at most *most* bytes of them, or one tag that is longer.

        For logs of FLV tags. *pins* counts the memory that they keep. The age of the next tag is the lag. Raises
        MemoryError.
        """
        cdef Log* log = self.log.log
        cdef int64_t stop = self.next_run(0, most)
        cdef list found
        cdef Page* page
        cdef Tag* tag
        cdef PagePin pin
        cdef int32_t i
        if stop == self.pos:
            return []
        found = tags_in_bytes(self.before)
        self.given += stop - self.pos
        while self.pos < stop:
            page = page_at(log, self.pos)
            i = page_tag_at(page, self.pos)
            pin = pin_page(page, pins)
            while i < page.tag_count and self.pos < stop:
                tag = &page.tags[i]
                found.append(tag_in_page(pin, tag))
                self.pos = page.start + tag.offset + tag.size
                i += 1
        if self.shown_jumps != self.jumps:
            self.shown_jumps = self.jumps
            (<MediaTag>found[0]).jumped = True
        return found

    def take_tags(self):
        """Return `(kind, flags, dts_ms, bytes)` of each new entry of the log, oldest first.

        Where entries were trimmed before they were read, it goes on at the oldest kept, and `jumps` counts that.
        """
        cdef Log* log = self.log.log
        cdef list found = []
        cdef int64_t head = load_relaxed(&log.head)
        cdef Page* page
        cdef Tag* tag
        cdef int32_t i
        if self.waiting:
            if load32_relaxed(&log.has_video) and load_relaxed(&log.key_pos) < max(self.wait_pos, <int64_t>0):
                return found
            self.waiting = False
            self.pos = load_relaxed(&log.key_pos) if load32_relaxed(&log.has_video) else head
        if self.pos < head and page_at(log, self.pos) == NULL:
            self.jumps += 1
            self.pos = log.pages[log.first].start
        while self.pos < head:
            page = page_at(log, self.pos)
            i = page_tag_at(page, self.pos)
            while i < page.tag_count and self.pos < head:
                tag = &page.tags[i]
                found.append((
                    tag.kind, tag.flags, tag.dts_ms, page.bytes[tag.offset:tag.offset + tag.size],
                ))
                self.pos = page.start + tag.offset + tag.size
                i += 1
        self.floor.pos = self.pos
        return found
