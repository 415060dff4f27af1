"""The memory of a log: writing, trimming, publishing. See log.pxd for threads and ownership."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport calloc, free, realloc
from libc.string cimport memmove, memset

from fastflv._ext.core.atomics cimport (
    add32, fence, load32_acquire, load32_relaxed, load_relaxed, store32_release, store_relaxed, store_release,
)
from fastflv._ext.core.pthreads cimport (
    pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from fastflv._ext.log.block cimport Block, block_drop
from fastflv._ext.log.floor cimport Floor, add_floor, lowest_floor, remove_floor
from fastflv._ext.log.page cimport Page, Tag, page_drop, page_new
from fastflv._ext.log.rate cimport Rate, rate_add, rate_now
from fastflv._ext.log.timeshift cimport timeshift_free, timeshift_take
from fastflv._ext.log.waker cimport Waker, add_waker, remove_waker, wake_readers
from fastflv._ext.syntax.flvtag cimport COMMAND, CONFIG, TAG_VIDEO

from fastflv import limits

cdef uint32_t PAGE_MIN = limits.PAGE_BYTES_MIN
cdef uint32_t PAGE_MAX = limits.PAGE_BYTES_MAX
cdef uint32_t PAGE_PAST_MIN = limits.PAGE_PAST_BYTES_MIN
cdef uint32_t PAGE_PAST_MAX = limits.PAGE_PAST_BYTES_MAX
cdef int64_t PAGE_SPAN_MS = limits.PAGE_SPAN_MS
cdef int64_t KEY_WAIT_MS = limits.KEY_WAIT_MS
cdef int64_t PAGE_CROWD_SPAN_MS = limits.PAGE_CROWD_SPAN_MS
cdef int32_t CROWD = limits.PAGE_CROWD_COUNT
cdef int64_t HISTORY_LEAST = limits.HISTORY_BYTES_MIN
cdef uint32_t TAG_BYTES_TYPICAL = limits.TAG_BYTES_TYPICAL


# --- the log: life --------------------------------------------------------------------------

cdef Log* log_new() noexcept nogil:
    cdef Log* log = <Log*>calloc(1, sizeof(Log))
    if log == NULL:
        return NULL
    log.refs = 1
    log.key_pos = -1
    log.pending_key = -1
    log.epoch_pos = -1
    log.page_bytes = PAGE_MIN
    log.key_wait_ms = KEY_WAIT_MS
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
    timeshift_free(log.past)
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


cdef void log_add_floor(Log* log, Floor* floor) noexcept nogil:
    """Keep the history for a reader from *floor* on, which stays the reader's."""
    pthread_mutex_lock(&log.lock)
    add_floor(&log.floors, floor)
    pthread_mutex_unlock(&log.lock)


cdef void log_remove_floor(Log* log, Floor* floor) noexcept nogil:
    pthread_mutex_lock(&log.lock)
    remove_floor(&log.floors, floor)
    pthread_mutex_unlock(&log.lock)


cdef void wake_log_readers(Log* log, bint urgent) noexcept nogil:
    # Orders the store of the head before the load of `idle`; pairs with the fence in go_idle (fanout/group.pyx).
    fence()
    pthread_mutex_lock(&log.lock)
    wake_readers(&log.wakers, urgent, load32_relaxed(&log.ended))
    pthread_mutex_unlock(&log.lock)


# --- the log: writing -----------------------------------------------------------------------

cdef void trim(Log* log, int32_t least) noexcept nogil:
    """Drop the oldest published pages that neither the GOP nor a lagging reader needs; *least* pages stay.

    What a reader has still to read ages as of the last publish: one read of the publisher may bring minutes, and no
    reader is slow by those. Caller holds the lock.
    """
    cdef Page* oldest
    cdef int64_t end, key, age, newest
    cdef int32_t count = log.count
    cdef int64_t head = load_relaxed(&log.head)
    cdef int64_t head_dts = load_relaxed(&log.head_dts)
    # In this order: who stops moving has set its floor before, and who begins to move does so before its floor rises.
    cdef bint moving = load32_acquire(&log.moving) > 0
    cdef int64_t low = lowest_floor(log.floors)
    if moving or load32_acquire(&log.moving) > 0:
        low = 0
    key = log.pending_key if log.pending_key >= 0 else load_relaxed(&log.key_pos)
    while log.count > least:
        oldest = log.pages[log.first]
        end = oldest.start + oldest.used
        if log.keep_gop and key >= 0 and end > key:
            break
        # Followers read at the publish, and one read of the publisher may fill several pages.
        if end > head:
            break
        if oldest.tag_count > 0 and log.kept_bytes <= log.history_bytes:
            newest = oldest.tags[oldest.tag_count - 1].dts_ms
            if log.written_dts - newest < log.keep_ms:
                break
            age = head_dts - newest
            if end > low and (age < log.history_ms or head - oldest.start <= HISTORY_LEAST):
                break
        if oldest.start <= load_relaxed(&log.key_pos) < end:
            # Without a GOP cache the keyframe may be trimmed before its GOP is over: it is no start any more.
            store_release(&log.key_pos, -1)
        log.kept_bytes -= oldest.capacity
        log.first += 1
        log.count -= 1
        if log.past != NULL:
            timeshift_take(log.past, oldest, log.written_dts)
        else:
            page_drop(oldest)
    if log.count != count:
        store_release(&log.version, log.version + 1)


cdef void size_page(Log* log, const Page* last) noexcept nogil:
    """Set `page_bytes` for the next page by the rate of those before, of which *last* is the newest."""
    cdef bint crowd = log.past != NULL or load32_relaxed(&log.readers) > CROWD
    cdef int64_t least = PAGE_PAST_MIN if log.past != NULL else PAGE_MIN
    cdef int64_t most = PAGE_PAST_MAX if log.past != NULL else PAGE_MAX
    cdef int64_t wanted
    rate_add(&log.rate, last)
    store_relaxed(&log.bytes_per_second, rate_now(&log.rate, NULL))
    wanted = log.rate.bytes * (PAGE_CROWD_SPAN_MS if crowd else PAGE_SPAN_MS) // max(log.rate.ms, <int64_t>1)
    # It doubles at most: a keyframe that fills a page by itself says little of the rate.
    log.page_bytes = <uint32_t>max(least, min(wanted, min(most, <int64_t>log.page_bytes * 2)))


cdef int add_page(Log* log, uint32_t least) noexcept nogil:
    cdef Page* page
    cdef Page* last = last_page(log)
    cdef Page** grown
    cdef int32_t room
    cdef int64_t tags
    if last != NULL and last.tag_count:
        size_page(log, last)
    # A tag that is larger than a page is alone in its own, which goes when the tag does.
    tags = 1
    if least <= log.page_bytes:
        least = log.page_bytes
        tags = least // TAG_BYTES_TYPICAL
        if log.rate.bytes:
            # Half as many again as the mean: a fuller index ends the page early.
            tags = min(tags, log.rate.tags * least * 3 // (log.rate.bytes * 2))
        tags += 8
    page = page_new(log.written, least, <uint32_t>tags)
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
    trim(log, 1)
    store_release(&log.version, log.version + 1)
    pthread_mutex_unlock(&log.lock)
    return 0


cdef uint8_t* log_reserve(Log* log, uint32_t size) noexcept nogil:
    """Return where *size* bytes of one tag go, NULL without memory. The page owns them; a tag never spans pages."""
    cdef Page* page = last_page(log)
    if (
        page == NULL
        or <int64_t>page.capacity - page.used < <int64_t>size
        or <uint32_t>page.tag_count == page.tag_room
    ):
        if add_page(log, size) < 0:
            return NULL
        page = last_page(log)
    return page.bytes + page.used


cdef void log_commit(Log* log, uint32_t size, int64_t dts_ms, uint8_t kind, uint8_t flags) noexcept nogil:
    """Add the tag just written at `log_reserve` to the index. Readers see it after `log_publish`."""
    cdef Page* page = last_page(log)
    cdef Tag* tag = &page.tags[page.tag_count]
    tag.offset = <uint32_t>page.used
    tag.size = size
    tag.dts_ms = dts_ms
    tag.kind = kind
    tag.flags = flags
    page.used += size
    # Release, paired with the acquire in page_tag_at: a reader that sees the count sees the entry.
    store32_release(&page.tag_count, page.tag_count + 1)
    log.written += size
    log.written_dts = dts_ms
    if kind == TAG_VIDEO and not flags & (CONFIG | COMMAND):
        log.key_tags += 1
        if log.key_tags > log.key_tags_max and log.key_tags_max > 0:
            log_forget_key(log)


cdef void log_mark_key(Log* log, int64_t position, Block* block) noexcept nogil:
    """Offer *position* as a start, with the headers in *block*, from the next publish on. Takes the reference."""
    block_drop(log.pending_block)
    log.pending_key = position
    log.pending_block = block
    log.key_tags = 0


cdef void log_forget_key(Log* log) noexcept nogil:
    """Withdraw the start until the next keyframe: the GOP outgrew its bound, or the publisher changed."""
    log.pending_key = -1
    block_drop(log.pending_block)
    log.pending_block = NULL
    store_release(&log.key_pos, -1)


cdef void log_forget_rate(Log* log) noexcept nogil:
    """The publisher left: what comes next may have another rate, and the time until then is no media."""
    memset(&log.rate, 0, sizeof(Rate))
    store_relaxed(&log.bytes_per_second, 0)


cdef void log_trim(Log* log) noexcept nogil:
    """Free what nobody needs without waiting for the next page; a log that nobody reads may keep none."""
    pthread_mutex_lock(&log.lock)
    trim(log, 1 if load32_relaxed(&log.readers) > 0 else 0)
    pthread_mutex_unlock(&log.lock)


cdef void log_begin_epoch(Log* log, int64_t epoch_ms) noexcept nogil:
    """Count the time that players are told from *epoch_ms* on, from the next tag on; readers of today end before it."""
    log.epoch_ms = epoch_ms
    # Release, before the head behind it: a reader that sees the next tag sees where to end.
    store_release(&log.epoch_pos, log.written)


cdef void log_publish(Log* log, bint urgent) noexcept nogil:
    """Publish all committed tags and wake readers. *urgent*: they are not held back to be sent with later tags."""
    cdef Block* old = NULL
    cdef int64_t key = load_relaxed(&log.key_pos)
    if log.pending_key >= 0:
        pthread_mutex_lock(&log.lock)
        old = log.key_block
        log.key_block = log.pending_block
        store_release(&log.key_pos, log.pending_key)
        # Before the head moves on: followers have read up to it.
        trim(log, 1)
        pthread_mutex_unlock(&log.lock)
        log.pending_key = -1
        log.pending_block = NULL
        block_drop(old)
    elif key >= 0 and log.key_bytes_max > 0 and log.written - key > log.key_bytes_max:
        log_forget_key(log)
    store_relaxed(&log.head_dts, log.written_dts)
    # Release, paired with the acquire in `look` (fanout/group.pyx): a reader that sees the head sees the bytes below.
    store_release(&log.head, log.written)
    wake_log_readers(log, urgent)


cdef void log_end(Log* log) noexcept nogil:
    log_publish(log, False)
    # Release, after the last head: a reader that sees `ended` sees the whole log.
    store32_release(&log.ended, 1)
    wake_log_readers(log, True)
