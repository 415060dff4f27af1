"""A stream as a log of ready-to-send bytes. See medialog.pxd for threads and ownership."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove

from fastflv._ext.core.atomics cimport (
    add32, fence, load32_relaxed, load_acquire, load_relaxed, store32_release,
    store_relaxed, store_release,
)
from fastflv._ext.core.pthreads cimport (
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from fastflv._ext.log.block cimport Block, block_drop, block_new
from fastflv._ext.log.page cimport Page, Tag, View, page_drop, page_new, page_tag_at, view_clear
from fastflv._ext.log.waker cimport Waker, add_waker, remove_waker, wake_readers
from fastflv._ext.syntax.flvtag cimport COMMAND, CONFIG, KEY, TAG_FRAME_BYTES, TAG_VIDEO, read_traits, write_tag

import logging

from fastflv import limits
from fastflv.errors import UsageError

logger = logging.getLogger(__name__)

cdef uint32_t PAGE_MIN = limits.PAGE_BYTES_MIN
cdef uint32_t PAGE_MAX = limits.PAGE_BYTES_MAX
cdef int64_t PAGE_SPAN_MS = limits.PAGE_SPAN_MS


# --- the log: life --------------------------------------------------------------------------

cdef Log* log_new() noexcept nogil:
    cdef Log* log = <Log*>calloc(1, sizeof(Log))
    if log == NULL:
        return NULL
    log.refs = 1
    log.key_pos = -1
    log.pending_key = -1
    log.next_capacity = PAGE_MIN
    pthread_mutex_init(&log.lock, NULL)
    return log


cdef void log_hold(Log* log) noexcept nogil:
    add32(&log.refs, 1)


cdef void log_drop(Log* log) noexcept nogil:
    cdef int32_t i
    if add32(&log.refs, -1) != 0:
        return
    for i in range(log.first, log.first + log.count):
        page_drop(log.pages[i])
    free(log.pages)
    free(log.wakers.rows)
    block_drop(log.key_block)
    block_drop(log.pending_block)
    pthread_mutex_destroy(&log.lock)
    free(log)


cdef int log_add_waker(Log* log, Waker* waker) noexcept nogil:
    cdef int status
    pthread_mutex_lock(&log.lock)
    status = add_waker(&log.wakers, waker)
    pthread_mutex_unlock(&log.lock)
    return status


cdef void log_remove_waker(Log* log, Waker* waker) noexcept nogil:
    pthread_mutex_lock(&log.lock)
    remove_waker(&log.wakers, waker)
    pthread_mutex_unlock(&log.lock)


cdef void tell_readers(Log* log, bint urgent) noexcept nogil:
    # Orders the head before the look at `idle`; pairs with the fence of a reader that goes to sleep.
    fence()
    pthread_mutex_lock(&log.lock)
    wake_readers(&log.wakers, urgent, load32_relaxed(&log.ended))
    pthread_mutex_unlock(&log.lock)


# --- the log: writing -----------------------------------------------------------------------

cdef inline Page* last_segment(Log* log) noexcept nogil:
    return log.pages[log.first + log.count - 1] if log.count else NULL


cdef void trim(Log* log) noexcept nogil:
    """Drop the oldest published pages that neither the GOP nor a lagging reader needs. Caller holds the lock."""
    cdef Page* oldest
    cdef int64_t end, key
    cdef int32_t tags
    cdef bint wanted
    key = log.pending_key if log.pending_key >= 0 else load_relaxed(&log.key_pos)
    while log.count > 1:
        oldest = log.pages[log.first]
        end = oldest.start + oldest.used
        if log.keep_gop and key >= 0 and end > key:
            return
        # What follows the log takes it at the publish: one read may bring groups of pictures that fill pages.
        if end > load_relaxed(&log.head):
            return
        tags = oldest.tag_count
        wanted = (
            log.kept_bytes <= log.history_bytes
            and tags > 0
            and oldest.tags[tags - 1].dts_ms
            > log.written_dts - (log.history_ms if load32_relaxed(&log.readers) > 0 else log.keep_ms)
        )
        if wanted:
            return
        if oldest.start <= load_relaxed(&log.key_pos) < end:
            # Without a GOP cache the keyframe may go before its GOP is over: nobody starts from what is not there.
            store_release(&log.key_pos, -1)
        log.kept_bytes -= oldest.capacity
        page_drop(oldest)
        log.first += 1
        log.count -= 1


cdef int add_segment(Log* log, uint32_t least) noexcept nogil:
    cdef Page* page
    cdef Page* last = last_segment(log)
    cdef Page** grown
    cdef int32_t room
    # A page holds about PAGE_SPAN_MS: small enough to trim by, large enough to be rare.
    # One tag that fills it alone counts as fast: else large frames would never share a page.
    if last != NULL and last.tag_count:
        if last.tags[last.tag_count - 1].dts_ms - last.tags[0].dts_ms < PAGE_SPAN_MS:
            log.next_capacity = min(log.next_capacity * 2, PAGE_MAX)
        elif last.tags[last.tag_count - 1].dts_ms - last.tags[0].dts_ms > 4 * PAGE_SPAN_MS:
            log.next_capacity = max(log.next_capacity // 2, PAGE_MIN)
    page = page_new(log.written, max(log.next_capacity, least))
    if page == NULL:
        return -1
    pthread_mutex_lock(&log.lock)
    if log.first + log.count == log.room:
        if log.first > log.room // 2:
            memmove(log.pages, log.pages + log.first, log.count * sizeof(Page*))
            log.first = 0
        else:
            room = max(8, log.room * 2)
            grown = <Page**>realloc(log.pages, room * sizeof(Page*))
            if grown == NULL:
                pthread_mutex_unlock(&log.lock)
                page_drop(page)
                return -1
            log.pages = grown
            log.room = room
    log.pages[log.first + log.count] = page
    log.count += 1
    log.kept_bytes += page.capacity
    trim(log)
    store_release(&log.version, log.version + 1)
    pthread_mutex_unlock(&log.lock)
    return 0


cdef uint8_t* log_reserve(Log* log, uint32_t size) noexcept nogil:
    """Return where *size* bytes of one tag go, or NULL without memory. A tag never spans pages."""
    cdef Page* page = last_segment(log)
    if (
        page == NULL
        or <int64_t>page.capacity - page.used < <int64_t>size
        or <uint32_t>page.tag_count == page.tag_room
    ):
        if add_segment(log, size) < 0:
            return NULL
        page = last_segment(log)
    return page.bytes + page.used


cdef void log_commit(Log* log, uint32_t size, int64_t dts_ms, uint8_t kind, uint8_t flags) noexcept nogil:
    """Account for the tag just written at `log_reserve`. It is seen by readers after `log_publish`."""
    cdef Page* page = last_segment(log)
    cdef Tag* tag = &page.tags[page.tag_count]
    tag.offset = <uint32_t>page.used
    tag.size = size
    tag.dts_ms = dts_ms
    tag.kind = kind
    tag.flags = flags
    page.used += size
    # Release: a reader that sees the count sees the entry.
    store32_release(&page.tag_count, page.tag_count + 1)
    log.written += size
    log.written_dts = dts_ms
    if kind == TAG_VIDEO and not flags & (CONFIG | COMMAND):
        log.key_tags += 1
        if log.key_tags > log.key_tags_max and log.key_tags_max > 0:
            log_forget_key(log)


cdef void log_mark_key(Log* log, int64_t position, Block* block) noexcept nogil:
    """Players may start at *position* with the headers in *block* from the next publish on. Takes the reference."""
    block_drop(log.pending_block)
    log.pending_key = position
    log.pending_block = block
    log.key_tags = 0


cdef void log_forget_key(Log* log) noexcept nogil:
    """Offer no start until the next keyframe: the GOP outgrew its bound, or the publisher changed."""
    log.pending_key = -1
    block_drop(log.pending_block)
    log.pending_block = NULL
    store_release(&log.key_pos, -1)


cdef void log_publish(Log* log, bint urgent) noexcept nogil:
    """Show readers all that was committed, and wake them; *urgent*: it does not wait to ride with anything."""
    cdef Block* old = NULL
    cdef int64_t key = load_relaxed(&log.key_pos)
    if log.pending_key >= 0:
        pthread_mutex_lock(&log.lock)
        old = log.key_block
        log.key_block = log.pending_block
        store_release(&log.key_pos, log.pending_key)
        pthread_mutex_unlock(&log.lock)
        log.pending_key = -1
        log.pending_block = NULL
        block_drop(old)
    elif key >= 0 and log.key_bytes_max > 0 and log.written - key > log.key_bytes_max:
        log_forget_key(log)
    store_relaxed(&log.head_dts, log.written_dts)
    # Release: a reader that sees the head sees the bytes below it.
    store_release(&log.head, log.written)
    tell_readers(log, urgent)


cdef void log_end(Log* log) noexcept nogil:
    log_publish(log, False)
    # Release, and behind the last head: who sees that the log has ended sees all of it.
    store32_release(&log.ended, 1)
    tell_readers(log, True)


# --- views ----------------------------------------------------------------------------------

cdef int view_refresh(View* view, Log* log) noexcept nogil:
    """Pin the present list of pages; cheap when it has not changed. -1 without memory."""
    cdef int32_t i
    cdef Page** grown
    if view.version == load_acquire(&log.version) and view.count:
        return 0
    view_clear(view)
    pthread_mutex_lock(&log.lock)
    if log.count > view.room:
        grown = <Page**>realloc(view.pages, (log.count + 8) * sizeof(Page*))
        if grown == NULL:
            pthread_mutex_unlock(&log.lock)
            return -1
        view.pages = grown
        view.room = log.count + 8
    for i in range(log.count):
        view.pages[i] = log.pages[log.first + i]
        add32(&view.pages[i].refs, 1)
    view.count = log.count
    view.version = log.version
    pthread_mutex_unlock(&log.lock)
    return 0


# --- Python doors ---------------------------------------------------------------------------

cdef class Follower:
    """Base of what is made from a log as it grows, in the same thread: the same media in another container."""

    cdef int follow(self, bint urgent) except -1:
        """New tags were published. *urgent*: they do not wait for a video frame to ride with."""
        return 0

    cdef int forget_key(self) except -1:
        """Nobody starts from the last GOP any more: its publisher is gone."""
        return 0

    cdef int rekey(self) except -1:
        """The headers before the newest keyframe have changed."""
        return 0

    cdef int end(self) except -1:
        """The log has ended."""
        return 0

    cdef int fail(self) except -1:
        """It raised an error, and is told no more."""
        return 0


@cython.final
cdef class MediaLog:
    """The log of one stream in one container. Written and asked by the event loop, read by sender threads.

    *history_ms* and *history_bytes* bound the history kept while somebody reads, *keep_ms* (within
    *history_bytes*) that which is kept though nobody does; with *keep_gop* the
    newest GOP is kept in any case, unless it has more than *key_bytes_max* bytes or *key_tags_max*
    video tags (0: no bound).
    """

    def __cinit__(
        self,
        *,
        int64_t history_ms=limits.HISTORY_MS,
        int64_t history_bytes=limits.HISTORY_BYTES,
        int64_t keep_ms=0,
        bint keep_gop=True,
        int64_t key_bytes_max=limits.GOP_BYTES_MAX,
        int32_t key_tags_max=limits.GOP_FRAMES_MAX,
    ):
        self.log = log_new()
        if self.log == NULL:
            raise MemoryError
        self.log.history_ms = history_ms
        self.log.history_bytes = history_bytes
        self.log.keep_ms = keep_ms
        self.followers = ()
        self.log.keep_gop = keep_gop
        self.log.key_bytes_max = key_bytes_max
        self.log.key_tags_max = key_tags_max

    def __dealloc__(self):
        if self.log != NULL:
            log_drop(self.log)

    @property
    def head(self):
        """Position behind the newest published byte."""
        return load_relaxed(&self.log.head)

    @property
    def head_dts(self):
        """Time of the newest published tag, ms."""
        return load_relaxed(&self.log.head_dts)

    @property
    def tail(self):
        """Position of the oldest byte still kept."""
        return self.log.pages[self.log.first].start if self.log.count else self.log.written

    @property
    def key_pos(self):
        """Position of the newest keyframe that a player may start from, -1 when there is none."""
        return load_relaxed(&self.log.key_pos)

    @property
    def key_dts(self):
        """Time of the keyframe at `key_pos`, ms; -1 when there is none."""
        cdef int64_t key = self.log.key_pos
        cdef Page* page
        cdef int32_t i
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            if page.start <= key < page.start + page.used:
                return page.tags[page_tag_at(page, key)].dts_ms
        return -1

    @property
    def kept_bytes(self):
        """Memory of the pages in the list, bytes."""
        return self.log.kept_bytes

    # Bounds: for the writer's thread. A new value counts from the next commit, publish or trim on.

    @property
    def history_ms(self):
        """History kept for readers that lag, ms."""
        return self.log.history_ms

    @history_ms.setter
    def history_ms(self, int64_t value):
        self.log.history_ms = value

    @property
    def history_bytes(self):
        """Bound of the history, bytes of pages."""
        return self.log.history_bytes

    @history_bytes.setter
    def history_bytes(self, int64_t value):
        self.log.history_bytes = value

    @property
    def keep_ms(self):
        """History kept while no reader is there, ms."""
        return self.log.keep_ms

    @keep_ms.setter
    def keep_ms(self, int64_t value):
        self.log.keep_ms = value

    @property
    def key_bytes_max(self):
        """A longer GOP is not offered as a start, bytes; 0: no bound."""
        return self.log.key_bytes_max

    @key_bytes_max.setter
    def key_bytes_max(self, int64_t value):
        self.log.key_bytes_max = value

    @property
    def key_tags_max(self):
        """Likewise, video tags."""
        return self.log.key_tags_max

    @key_tags_max.setter
    def key_tags_max(self, int32_t value):
        self.log.key_tags_max = value

    @property
    def keep_gop(self):
        """The newest GOP is kept, whatever the bounds of the history."""
        return bool(self.log.keep_gop)

    @keep_gop.setter
    def keep_gop(self, bint value):
        self.log.keep_gop = value

    @property
    def readers(self):
        return load32_relaxed(&self.log.readers)

    @property
    def ended(self):
        return bool(load32_relaxed(&self.log.ended))

    @property
    def key_headers(self):
        """Headers that belong before the tag at `key_pos`, b"" when there is no such tag."""
        if self.log.key_block == NULL or load_relaxed(&self.log.key_pos) < 0:
            return b""
        return self.log.key_block.bytes[:self.log.key_block.size]

    def append(self, uint8_t kind, int64_t dts_ms, body):
        """Write one FLV tag and publish it; a video keyframe becomes a place to start."""
        cdef Py_buffer view
        cdef uint8_t* out
        cdef uint8_t flags
        cdef int64_t at
        if load32_relaxed(&self.log.ended):
            raise UsageError("append to a log that has ended")
        PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
        try:
            if view.len > 0xFFFFFF:
                raise ValueError("FLV tag body longer than 16777215 bytes")
            out = log_reserve(self.log, <uint32_t>view.len + TAG_FRAME_BYTES)
            if out == NULL:
                raise MemoryError
            flags = read_traits(kind, <const uint8_t*>view.buf, view.len).flags
            at = self.log.written
            write_tag(out, kind, <const uint8_t*>view.buf, <uint32_t>view.len, dts_ms)
            log_commit(self.log, <uint32_t>view.len + TAG_FRAME_BYTES, dts_ms, kind, flags)
            if kind == TAG_VIDEO:
                store32_release(&self.log.has_video, 1)
                if flags & KEY and not flags & (CONFIG | COMMAND):
                    log_mark_key(self.log, at, block_new(NULL, 0))
        finally:
            PyBuffer_Release(&view)
        self.publish(kind == TAG_VIDEO)

    cdef int publish(self, bint urgent) except -1:
        """Show readers all that was committed, then have the followers take it."""
        cdef Follower follower
        log_publish(self.log, urgent)
        for follower in self.followers:
            try:
                follower.follow(urgent)
            except Exception:
                # The publisher and everybody else go on; the players of this one are let go.
                logger.exception("what follows a stream failed; its players are let go")
                self.detach(follower)
                follower.fail()
        return 0

    def attach(self, Follower follower not None):
        """Tell *follower* of all that is published from now on."""
        self.followers += (follower,)

    def detach(self, Follower follower not None):
        """Tell *follower* no more; no harm when it was not attached."""
        self.followers = tuple([other for other in self.followers if other is not follower])

    @property
    def followed(self):
        """Followers attached."""
        return len(self.followers)

    def forget_key(self):
        """Offer no start until the next keyframe, here and in what follows this log."""
        cdef Follower follower
        log_forget_key(self.log)
        for follower in self.followers:
            follower.forget_key()

    def end(self):
        """No more bytes will come, here and in what follows: readers drain what is there and are let go."""
        cdef Follower follower
        log_end(self.log)
        for follower in self.followers:
            follower.end()

    def read(self, int64_t start, int64_t stop):
        """Return the bytes of [start, stop), which must lie between `tail` and `head`."""
        cdef list parts = []
        cdef int32_t i
        cdef Page* page
        cdef int64_t a, b
        if start < self.tail or stop > load_relaxed(&self.log.head) or stop < start:
            raise UsageError(f"range {start}..{stop} is not in the log")
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            a = max(start, page.start)
            b = min(stop, page.start + page.used)
            if a < b:
                parts.append(page.bytes[a - page.start:b - page.start])
        return b"".join(parts)

    def position_at(self, int64_t dts_ms):
        """Return the position of the oldest tag kept that is not before *dts_ms*, `head` when all are."""
        cdef int32_t i, k
        cdef Page* page
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            for k in range(page.tag_count):
                if page.tags[k].dts_ms >= dts_ms:
                    return min(page.start + page.tags[k].offset, load_relaxed(&self.log.head))
        return load_relaxed(&self.log.head)

    def tags(self):
        """Return `(position, size, dts_ms, kind, flags)` of every tag kept, oldest first."""
        cdef list rows = []
        cdef int32_t i, k
        cdef Page* page
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            for k in range(page.tag_count):
                tag = &page.tags[k]
                rows.append((page.start + tag.offset, tag.size, tag.dts_ms, tag.kind, tag.flags))
        return rows
