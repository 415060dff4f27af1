"""The send step of one player, without the GIL; see player.pxd for ownership.

A player that keeps up costs one `sendmsg` of a range that is prepared once for all of them. A player with a start
block, a half-sent frame or a jump takes the longer path.
"""

from libc.errno cimport EAGAIN, EINTR, errno
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from fastflv._ext.core.atomics cimport add32, store_relaxed
from fastflv._ext.core.sockets cimport MSG_DONTWAIT, MSG_NOSIGNAL, iovec, msghdr, send, sendmsg
from fastflv._ext.fanout.framing cimport FRAME_HEADER_MAX, FRAMING_CHUNKED, FRAMING_RAW, write_frame_header
from fastflv._ext.fanout.ladder cimport (
    check_place, choose_skip, jump, measure_lag, skip_pictures, skip_stop, tag_end,
)
from fastflv._ext.log.block cimport block_drop
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page, page_drop, page_tag_at
from fastflv._ext.log.view cimport View, view_find
from fastflv._ext.syntax.flvtag cimport DISPOSABLE, LEADING

from fastflv import limits

cdef int64_t SEND_MAX = limits.SEND_BYTES_MAX
cdef int64_t FRAME_MAX = limits.FRAME_BYTES_MAX
cdef const uint8_t* CRLF = <const uint8_t*>b"\r\n"


cdef struct Parts:
    iovec v[PARTS_MAX]
    uint8_t kind[PARTS_MAX]
    int count
    int64_t total

cdef enum:                     # kind of an entry of Parts, for the account after a short send
    PART_PREAMBLE = 0
    PART_MARK = 1
    PART_HEADER = 2            # of a new frame
    PART_BLOCK = 3
    PART_LOG = 4
    PART_TAIL = 5              # end of a frame


cdef inline void add_part(Parts* parts, uint8_t kind, const void* base, int64_t size) noexcept nogil:
    parts.v[parts.count].iov_base = <void*>base
    parts.v[parts.count].iov_len = <size_t>size
    parts.kind[parts.count] = kind
    parts.count += 1
    parts.total += size


cdef int64_t add_log(Parts* parts, const View* view, int64_t pos, int64_t stop, int room) noexcept nogil:
    """Add the log range [pos, stop) in at most *room* entries; return the bytes added, -1 when it was trimmed."""
    cdef int32_t i = view.count - 1
    cdef int64_t end, added = 0
    cdef Page* page
    while i >= 0 and view.pages[i].start > pos:
        i -= 1
    if i < 0:
        return -1
    while pos < stop and room > 0:
        page = view.pages[i]
        end = stop
        # Pages are contiguous: one ends where the next starts.
        if i + 1 < view.count and view.pages[i + 1].start < stop:
            end = view.pages[i + 1].start
        if end > pos:
            add_part(parts, PART_LOG, page.bytes + (pos - page.start), end - pos)
            added += end - pos
            pos = end
            room -= 1
        i += 1
        if i == view.count:
            break
    return added


cdef int64_t send_stop(const View* view, int64_t pos, int64_t head, uint8_t framing) noexcept nogil:
    """Return where one send of [pos, head) stops. A frame holds whole tags, up to FRAME_MAX bytes but at least one."""
    cdef Page* page
    cdef int32_t i
    cdef int64_t start
    if framing == FRAMING_RAW:
        return min(head, pos + SEND_MAX)
    if head - pos <= FRAME_MAX:
        return head
    page = view_find(view, pos + FRAME_MAX)
    i = page_tag_at(page, pos + FRAME_MAX) if page != NULL else -1
    if i < 0:
        return pos + FRAME_MAX
    start = page.start + page.tags[i].offset
    return start if start > pos else start + page.tags[i].size


cdef bint prepare_burst(Burst* burst, const View* view, int64_t pos, int64_t head, uint8_t framing) noexcept nogil:
    """Prepare one framed send of [pos, head) (or the first part of it); False when it was trimmed.

    It has several frames where one is not enough: a system call for each would cost a third more at 20 Mbit/s.
    """
    cdef Parts parts
    cdef int64_t at = pos
    cdef int64_t content
    cdef int frames = 0
    cdef int first
    parts.count = 0
    parts.total = 0
    while at < head and (
        frames == 0 or (frames < FRAMES_MAX and parts.count <= PARTS_MAX - 3 and parts.total + FRAME_MAX <= SEND_MAX)
    ):
        first = parts.count
        if framing != FRAMING_RAW:
            add_part(&parts, PART_HEADER, burst.headers[frames], 0)
        content = add_log(&parts, view, at, send_stop(view, at, head, framing), PARTS_MAX - 1 - parts.count)
        if content <= 0:
            return False
        if framing != FRAMING_RAW:
            parts.v[first].iov_len = write_frame_header(burst.headers[frames], framing, content)
            parts.total += <int64_t>parts.v[first].iov_len
        if framing == FRAMING_CHUNKED:
            add_part(&parts, PART_TAIL, CRLF, 2)
        at += content
        frames += 1
    memcpy(burst.parts, parts.v, parts.count * sizeof(iovec))
    memcpy(burst.kind, parts.kind, parts.count)
    burst.count = parts.count
    burst.total = parts.total
    burst.content = at - pos
    burst.pos = pos
    burst.head = head
    burst.framing = framing
    return True


cdef ssize_t send_parts(int fd, iovec* v, int count) noexcept nogil:
    cdef msghdr message
    cdef ssize_t n
    memset(&message, 0, sizeof(message))
    message.msg_iov = v
    message.msg_iovlen = count
    while True:
        n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL)
        if n >= 0 or errno != EINTR:
            return n


cdef void set_mark(PlayerState* p, const uint8_t* bytes, int size) noexcept nogil:
    memcpy(p.mark, bytes, size)
    p.mark_at = 0
    p.mark_size = <uint8_t>size


cdef int64_t content_of(const Parts* parts, int header) noexcept nogil:
    """Return the content of the new frame whose header is an entry of *parts*."""
    cdef int64_t content = 0
    cdef int i = header + 1
    while i < parts.count and (parts.kind[i] == PART_BLOCK or parts.kind[i] == PART_LOG):
        content += <int64_t>parts.v[i].iov_len
        i += 1
    return content


cdef void account(PlayerState* p, const Parts* parts, int64_t n) noexcept nogil:
    """Move the player over the *n* bytes of *parts* that the socket took."""
    cdef int i
    cdef int64_t size, done
    cdef const uint8_t* base
    store_relaxed(&p.sent, p.sent + n)
    store_relaxed(&p.sends, p.sends + 1)
    for i in range(parts.count):
        size = <int64_t>parts.v[i].iov_len
        base = <const uint8_t*>parts.v[i].iov_base
        done = min(size, n)
        n -= done
        if parts.kind[i] == PART_PREAMBLE:
            p.preamble_at += <uint32_t>done
            if done == size:
                block_drop(p.preamble)
                p.preamble = NULL
        elif parts.kind[i] == PART_MARK:
            p.mark_at += <uint8_t>done
        elif parts.kind[i] == PART_HEADER:
            if done == 0:
                return
            p.frame_left = content_of(parts, i)
            if done < size:
                set_mark(p, base + done, <int>(size - done))
        elif parts.kind[i] == PART_BLOCK:
            p.block_at += <uint32_t>done
            p.frame_left -= done
            if p.block_at == p.block.size:
                block_drop(p.block)
                p.block = NULL
        elif parts.kind[i] == PART_LOG:
            p.pos += done
            p.frame_left -= done
        else:
            if p.frame_left == 0 and done < size:
                set_mark(p, base + done, <int>(size - done))
        if done < size:
            return


cdef void hold_tag(PlayerState* p, const View* view) noexcept nogil:
    """Pin the page of the present position, so that the rest of a half-sent tag is not trimmed."""
    cdef Page* page
    if p.pin != NULL and p.pos >= p.pin.start and page_tag_at(p.pin, p.pos) >= 0:
        return
    page_drop(p.pin)
    p.pin = NULL
    page = view_find(view, p.pos)
    if page != NULL:
        add32(&page.refs, 1)
        p.pin = page


cdef bint player_is_whole(const PlayerState* p, const View* view) noexcept nogil:
    """Return whether no tag and no frame is half sent: the event loop may write to the socket."""
    return (
        p.block == NULL and p.preamble == NULL and p.frame_left == 0 and p.mark_at == p.mark_size
        and (p.waiting or tag_end(p, view) == p.pos)
    )


cdef int player_send(PlayerState* p, Log* log, const View* view, int64_t head, Burst* burst) noexcept nogil:
    """Send all that this player can be sent now, up to *head*."""
    cdef Parts parts
    cdef int64_t stop, content, log_bytes, block_bytes, take
    cdef int64_t lag = -1
    cdef bint thins, at_start
    cdef uint8_t header[FRAME_HEADER_MAX]
    cdef ssize_t n
    cdef int before = 0
    while True:
        if (
            p.block == NULL and p.preamble == NULL and p.pin == NULL and p.frame_left == 0
            and p.mark_at == p.mark_size and not p.waiting and p.cut < 0 and not p.recalled
            and not p.thin.skip and not p.thin.bridge
        ):
            if p.pos >= head:
                break
            if burst.pos != p.pos or burst.head != head or burst.framing != p.framing:
                if not prepare_burst(burst, view, p.pos, head, p.framing):
                    check_place(p, log, view, head, 0)
                    if p.cut < 0:
                        return SEND_FAILED
                    continue
            n = send_parts(p.fd, burst.parts, burst.count)
            if n == burst.total:
                p.pos += burst.content
                store_relaxed(&p.sent, p.sent + n)
                store_relaxed(&p.sends, p.sends + 1)
                continue
            if n < 0:
                if errno != EAGAIN:
                    return SEND_FAILED
                hold_tag(p, view)
                return SEND_BLOCKED
            memcpy(parts.v, burst.parts, burst.count * sizeof(iovec))
            parts.count = burst.count
            memcpy(parts.kind, burst.kind, burst.count)
            account(p, &parts, n)
            if p.framing == FRAMING_RAW:
                p.frame_left = 0
            hold_tag(p, view)
            return SEND_BLOCKED

        if lag < 0:
            # A player with a start to finish does not lag.
            lag = measure_lag(p, log, view) if p.pin != NULL or p.thin.skip & DISPOSABLE or p.cut >= 0 else 0
            choose_skip(&p.thin, lag)
        check_place(p, log, view, head, lag)
        # A recalled player jumps only to fill an open frame, before whose end it cannot leave.
        if (p.cut >= 0 and p.pos >= p.cut or p.waiting) and p.block == NULL and (not p.recalled or p.frame_left > 0):
            p.cut = -1
            jump(p, log)
        # Inside a frame only the leading pictures of a jump are left out; else frames would not end with tags.
        thins = not p.waiting and (p.thin.bridge or (p.thin.skip and not p.recalled)) and (
            p.frame_left == 0 or p.thin.skip & LEADING
        )
        if thins and p.cut < 0 and (p.block == NULL or log.bridge == NULL):
            at_start = p.block != NULL
            content = skip_pictures(&p.thin, log, view, p.pos, head, &p.block)
            if content < 0:
                return SEND_FAILED
            p.pos = content
            if not at_start:
                p.block_at = 0
        parts.count = 0
        parts.total = 0
        if p.preamble != NULL:
            add_part(&parts, PART_PREAMBLE, p.preamble.bytes + p.preamble_at, p.preamble.size - p.preamble_at)
        if p.mark_at < p.mark_size:
            add_part(&parts, PART_MARK, p.mark + p.mark_at, p.mark_size - p.mark_at)
        stop = p.pos if p.waiting else send_stop(view, p.pos, head, p.framing)
        if p.cut >= 0:
            stop = min(stop, p.cut)
        if p.recalled and p.frame_left == 0 and not p.thin.bridge:
            stop = min(stop, tag_end(p, view))
        if thins and p.block != NULL and log.bridge != NULL:
            # Pictures left out behind the block may need a bridge of their own.
            stop = p.pos
        elif thins:
            stop = skip_stop(&p.thin, view, p.pos, stop)
        log_bytes = max(<int64_t>0, stop - p.pos)
        block_bytes = 0 if p.block == NULL else <int64_t>(p.block.size - p.block_at)
        content = block_bytes + log_bytes
        if p.framing != FRAMING_RAW and p.frame_left > 0:
            # The open frame is filled with the next bytes; the rest follows in the next round.
            content = min(content, p.frame_left)
            block_bytes = min(block_bytes, content)
            log_bytes = content - block_bytes
        elif p.framing != FRAMING_RAW and content:
            before = parts.count
            add_part(&parts, PART_HEADER, header, 0)
        if block_bytes:
            add_part(&parts, PART_BLOCK, p.block.bytes + p.block_at, block_bytes)
        if log_bytes:
            if p.pin != NULL and view_find(view, p.pos) == NULL:
                add_part(&parts, PART_LOG, p.pin.bytes + (p.pos - p.pin.start), log_bytes)
                take = log_bytes
            else:
                take = add_log(&parts, view, p.pos, p.pos + log_bytes, PARTS_MAX - 2 - parts.count)
                if take < 0:
                    return SEND_FAILED
            content -= log_bytes - take
        if p.framing != FRAMING_RAW and content and p.frame_left == 0:
            parts.v[before].iov_len = write_frame_header(header, p.framing, content)
            parts.total += <int64_t>parts.v[before].iov_len
        if p.framing == FRAMING_CHUNKED and content and (p.frame_left == 0 or content == p.frame_left):
            add_part(&parts, PART_TAIL, CRLF, 2)
        if parts.count == 0:
            break
        n = send_parts(p.fd, parts.v, parts.count)
        if n < 0:
            if errno != EAGAIN:
                return SEND_FAILED
            hold_tag(p, view)
            return SEND_BLOCKED
        account(p, &parts, n)
        if p.framing == FRAMING_RAW:
            p.frame_left = 0
        if n < parts.total:
            hold_tag(p, view)
            return SEND_BLOCKED
    # Where a player goes on at a keyframe, the headers before it signal what was left out.
    # Behind the last chunk none goes on.
    if (
        p.recalled and not p.finished and (not p.thin.bridge or p.waiting or p.cut >= 0)
        and player_is_whole(p, view)
    ):
        return SEND_RECALLED
    if p.pin != NULL:
        page_drop(p.pin)
        p.pin = NULL
    p.credit_ms = 0
    if p.lag_ms and not p.thin.skip & DISPOSABLE:
        store_relaxed(&p.lag_ms, 0)
    return SEND_DONE


cdef bint player_finish(PlayerState* p) noexcept nogil:
    """Send the last chunk of a chunked response, unless a frame is open. False when the socket is full.

    The rest is then in `mark` and is sent like any other bytes.
    """
    cdef const uint8_t* end = <const uint8_t*>b"0\r\n\r\n"
    cdef ssize_t n
    if (
        p.finished or p.framing != FRAMING_CHUNKED or p.frame_left != 0 or p.mark_at != p.mark_size
        or p.preamble != NULL
    ):
        return True
    p.finished = 1
    n = send(p.fd, end, 5, MSG_DONTWAIT | MSG_NOSIGNAL)
    if n < 0:
        if errno != EAGAIN:
            return True
        n = 0
    store_relaxed(&p.sent, p.sent + n)
    if n == 5:
        return True
    set_mark(p, end + n, <int>(5 - n))
    return False


cdef void player_release(PlayerState* p) noexcept nogil:
    """Drop every reference that the player holds; its socket is the caller's."""
    block_drop(p.preamble)
    block_drop(p.block)
    page_drop(p.pin)
    p.preamble = NULL
    p.block = NULL
    p.pin = NULL
