"""The steps that bring a lagging player back to live.

Lag is the age of the oldest media that the peer has not acknowledged, sent or not. Beyond `drop_ms` disposable pictures
are left out; beyond `jump_ms` the player goes on at the newest keyframe; beyond `close_ms` it is disconnected
(serve.pyx). Nothing here runs for a player that keeps up.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t

from fastflv._ext.core.atomics cimport load32_acquire, load_acquire, load_relaxed, store_relaxed
from fastflv._ext.core.pthreads cimport pthread_mutex_lock, pthread_mutex_unlock
from fastflv._ext.core.sockets cimport SIOCOUTQ, ioctl
from fastflv._ext.fanout.framing cimport FRAMING_RAW
from fastflv._ext.fanout.lag cimport INTER, Thinning, mark_lag
from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.log.block cimport Block, block_drop, block_hold, block_new
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page, Tag, page_tag_at
from fastflv._ext.log.view cimport View, view_find
from fastflv._ext.syntax.flvtag cimport COMMAND, CONFIG, DISPOSABLE, KEY, LEADING, TAG_VIDEO


cdef Page* page_of(const PlayerState* p, const View* view) noexcept nogil:
    """Return the page of the present position, NULL when it was trimmed and is not pinned."""
    cdef Page* page = view_find(view, p.pos)
    return page if page != NULL else p.pin


cdef int64_t tag_end(const PlayerState* p, const View* view) noexcept nogil:
    """Return the end of the tag that is half sent; between two tags the present position."""
    cdef Page* page = page_of(p, view)
    cdef int32_t i = page_tag_at(page, p.pos) if page != NULL else -1
    if i < 0 or p.pos == page.start + page.tags[i].offset:
        return p.pos
    return page.start + page.tags[i].offset + page.tags[i].size


# --- lag ------------------------------------------------------------------------------------

cdef int64_t next_dts(const PlayerState* p, const View* view, int64_t head_dts) noexcept nogil:
    """Return the time of the tag that the player is sent next; without one, of the head."""
    cdef Page* page
    cdef int32_t i
    if p.waiting:
        return head_dts
    page = page_of(p, view)
    if page == NULL:
        # The tag was trimmed: the oldest kept is the nearest known.
        if view.count == 0 or load32_acquire(&view.pages[0].tag_count) == 0:
            return head_dts
        return view.pages[0].tags[0].dts_ms
    i = page_tag_at(page, p.pos)
    return page.tags[i].dts_ms if i >= 0 else head_dts


cdef void give_credit(PlayerState* p, Log* log, const View* view) noexcept nogil:
    """Set `credit_ms`: the age of a new player's start is no lag until the start is sent."""
    cdef int64_t head_dts = load_relaxed(&log.head_dts)
    p.credit_ms = max(head_dts - next_dts(p, view, head_dts), <int64_t>0)


cdef int64_t measure_lag(PlayerState* p, Log* log, const View* view) noexcept nogil:
    """Return the age of the oldest media that the peer has not acknowledged, ms; `lag_ms` holds it for SendHandle."""
    cdef int unacked = 0
    cdef int64_t head_dts = load_relaxed(&log.head_dts)
    cdef int64_t lag
    if ioctl(p.fd, SIOCOUTQ, &unacked) < 0:
        unacked = 0
    # The kernel also counts bytes that were written to the connection before `Sender.add`.
    lag = mark_lag(&p.unacknowledged, p.sent, min(<int64_t>unacked, p.sent), next_dts(p, view, head_dts), head_dts)
    lag = max(lag - p.credit_ms, <int64_t>0)
    store_relaxed(&p.lag_ms, lag)
    return lag


# --- first step: thinning -------------------------------------------------------------------

cdef void choose_skip(Thinning* thin, int64_t lag_ms) noexcept nogil:
    """Leave out disposable pictures beyond a lag of `drop_ms`, until it falls to half of that."""
    if lag_ms > thin.drop_ms:
        if not thin.skip & DISPOSABLE:
            thin.skip |= DISPOSABLE
            store_relaxed(&thin.drops, thin.drops + 1)
    elif lag_ms <= thin.drop_ms // 2:
        thin.skip &= ~<uint8_t>DISPOSABLE


cdef inline bint is_picture(const Tag* tag) noexcept nogil:
    return tag.kind == TAG_VIDEO and not tag.flags & (CONFIG | COMMAND)


cdef inline bint is_left_out(const Tag* tag, const Thinning* thin) noexcept nogil:
    return is_picture(tag) and (tag.flags & thin.skip or (
        thin.skip & INTER and not tag.flags & KEY and 0 < thin.until_ms - tag.dts_ms <= 2 * thin.wait_ms
    ))


cdef void skip_leading(Thinning* thin) noexcept nogil:
    """Leave out the leading pictures of the first keyframe that is sent: they refer to pictures before it."""
    thin.skip |= LEADING
    thin.key_pos = -1


cdef void skip_until_key(Thinning* thin, const Log* log) noexcept nogil:
    """Leave out all pictures before the next keyframe, and its leading ones. For the writer's thread of *log*.

    The wait begins at the newest tag and ends after `key_wait_ms`, whatever comes.
    """
    thin.skip |= LEADING | INTER
    thin.wait_ms = log.key_wait_ms
    thin.until_ms = load_relaxed(&log.head_dts) + log.key_wait_ms
    thin.key_pos = -1


cdef inline void pass_picture(Thinning* thin, uint8_t flags, int64_t pos) noexcept nogil:
    """Note that the picture at *pos* is sent.

    The leading pictures of the first keyframe end at a picture that is no leading one, or at a second keyframe.
    """
    thin.skip &= ~<uint8_t>INTER
    if not thin.skip & LEADING or flags & LEADING:
        return
    if flags & KEY and (thin.key_pos < 0 or thin.key_pos == pos):
        thin.key_pos = pos
        return
    thin.skip &= ~<uint8_t>LEADING


cdef int64_t skip_pictures(
    Thinning* thin, Log* log, const View* view, int64_t pos, int64_t head, Block** before
) noexcept nogil:
    """Return the position behind the pictures at *pos* that are left out. Call it between two tags and two frames.

    *before*: set to a new block, owned by the caller, where the container needs a bridge before the next picture.
    Returns -1 without memory for it.
    """
    cdef Page* page
    cdef Tag* tag
    cdef int32_t i
    while pos < head:
        page = view_find(view, pos)
        i = page_tag_at(page, pos) if page != NULL else -1
        if i < 0 or page.start + page.tags[i].offset != pos:
            break
        tag = &page.tags[i]
        if not is_picture(tag):
            break
        if not is_left_out(tag, thin):
            pass_picture(thin, tag.flags, pos)
            if thin.bridge:
                before[0] = block_new(NULL, log.bridge_bytes)
                if before[0] == NULL:
                    return -1
                thin.bridge = 0
                before[0].size = log.bridge(page.bytes + tag.offset, tag.size, before[0].bytes)
            break
        pos += tag.size
        store_relaxed(&thin.dropped, thin.dropped + 1)
        thin.bridge = log.bridge != NULL
    return pos


cdef int64_t skip_stop(Thinning* thin, const View* view, int64_t pos, int64_t stop) noexcept nogil:
    """Return where a run from *pos* ends: at *stop*, or at the next picture that is left out or needs a bridge."""
    cdef int64_t at = pos
    cdef int32_t i, count
    cdef Page* page
    cdef Tag* tag
    while at < stop:
        page = view_find(view, at)
        i = page_tag_at(page, at) if page != NULL else -1
        if i < 0:
            return stop
        count = load32_acquire(&page.tag_count)
        while i < count:
            tag = &page.tags[i]
            at = page.start + tag.offset
            if at >= stop:
                return stop
            if at > pos and (is_left_out(tag, thin) or (thin.bridge and is_picture(tag))):
                return at
            if is_picture(tag):
                pass_picture(thin, tag.flags, at)
                if thin.skip == 0 and not thin.bridge:
                    return stop
            at += tag.size
            i += 1
    return stop


# --- second step: jump ----------------------------------------------------------------------

cdef bint jump(PlayerState* p, Log* log) noexcept nogil:
    """Move the player to the newest keyframe, with its headers as the next block; without one it waits for the next.

    Call it between two tags. On a log without video it goes to the head. Returns whether the player can send.
    """
    cdef Block* headers
    cdef int64_t key
    if p.epoch_pos != load_acquire(&log.epoch_pos):
        # What it would go on with counts time anew: it ends here.
        p.waiting = 1
        return False
    if not load32_acquire(&log.has_video):
        p.pos = load_acquire(&log.head)
        p.waiting = 0
        return True
    pthread_mutex_lock(&log.lock)
    # Read once: the writer may withdraw the keyframe at any moment, without the lock.
    key = load_relaxed(&log.key_pos)
    if key < p.wait_pos or key < 0 or log.key_block == NULL or log.pages[log.first].start > key:
        pthread_mutex_unlock(&log.lock)
        p.waiting = 1
        return False
    p.pos = key
    headers = log.key_block
    block_hold(headers)
    pthread_mutex_unlock(&log.lock)
    p.waiting = 0
    skip_leading(&p.thin)
    # The headers signal the discontinuity.
    p.thin.bridge = 0
    if headers.size:
        p.block = headers
        p.block_at = 0
    else:
        block_drop(headers)
    return True


cdef void check_place(PlayerState* p, Log* log, const View* view, int64_t head, int64_t lag_ms) noexcept nogil:
    """Decide whether a player jumps: `cut` is then the position at which it leaves.

    It leaves at the end of the open frame; without a frame, at the end of the half-sent tag. Where the rest of the
    frame was trimmed, it leaves at the end of the tag, and the frame is filled with the bytes behind the jump.
    """
    cdef Page* page = view_find(view, p.pos)
    cdef int32_t i
    cdef int64_t key, end, rest
    if p.waiting or p.pos >= head or (p.cut >= 0 and (page != NULL or p.cut == p.pos)):
        return
    if page == NULL:
        if p.cut < 0:
            store_relaxed(&p.jumps, p.jumps + 1)
        p.cut = p.wait_pos = tag_end(p, view)
        return
    key = load_acquire(&log.key_pos)
    # The lag is small, or the player is in the newest GOP already.
    if lag_ms <= p.jump_ms or 0 <= key <= p.pos:
        return
    end = tag_end(p, view)
    rest = p.pos + p.frame_left - (0 if p.block == NULL else <int64_t>(p.block.size - p.block_at))
    if p.framing != FRAMING_RAW and rest > end:
        if 0 <= key < rest:
            return
        page = view_find(view, rest - 1)
        i = page_tag_at(page, rest - 1) if page != NULL else -1
        if i >= 0:
            end = page.start + page.tags[i].offset + page.tags[i].size
    store_relaxed(&p.jumps, p.jumps + 1)
    p.cut = p.wait_pos = end
