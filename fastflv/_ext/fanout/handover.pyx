"""Players of sender threads as plain values, by which another process goes on with their sockets at the exact byte.

The threads are paused meanwhile: then the event loop may read and write each `PlayerState`. What is half sent, of a
frame, a tag or a block, is handed over as bytes; behind it a player is a position in its log.
"""

from libc.stdint cimport int32_t, int64_t, uint64_t
from libc.string cimport memset
from posix.unistd cimport dup2, write

from fastflv._ext.core.atomics cimport load32_acquire, load_relaxed, store32_release, store_relaxed
from fastflv._ext.core.pthreads cimport pthread_create, pthread_join
from fastflv._ext.core.sockets cimport EPOLL_CTL_DEL, epoll_ctl
from fastflv._ext.fanout.framing cimport FRAMING_CHUNKED, FRAMING_RAW
from fastflv._ext.fanout.group cimport Group
from fastflv._ext.fanout.player cimport ASKED_LEAVE, PlayerState
from fastflv._ext.fanout.sender cimport SendHandle, Sender
from fastflv._ext.fanout.thread cimport STOP_PAUSE, run_thread
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page, page_tag_at

from fastflv.errors import ResourceError


def pause_threads(Sender sender not None):
    """End the threads between two turns; all players, sockets and positions stay. Blocks for a turn of each."""
    cdef int i
    cdef uint64_t one = 1
    if not sender.running or sender.paused:
        return
    for i in range(sender.thread_count):
        store32_release(&sender.threads[i].stop, STOP_PAUSE)
        write(sender.threads[i].fd, &one, sizeof(one))
    with nogil:
        for i in range(sender.thread_count):
            pthread_join(sender.threads[i].id, NULL)
    sender.paused = True


def resume_threads(Sender sender not None):
    """Have new threads go on where `pause_threads` ended the others. Raises ResourceError where one cannot start."""
    cdef int i
    cdef uint64_t one = 1
    if not sender.paused:
        return
    for i in range(sender.thread_count):
        store32_release(&sender.threads[i].stop, 0)
        if pthread_create(&sender.threads[i].id, NULL, run_thread, &sender.threads[i]) != 0:
            raise ResourceError("no thread for sending; raise the limits of the process")
        # What came meanwhile has woken nobody.
        write(sender.threads[i].fd, &one, sizeof(one))
    sender.paused = False


cdef Page* page_at(const PlayerState* p, const Log* log, int64_t pos) noexcept:
    """Return the page that has the byte at *pos*, of the log or pinned by the player; NULL where it was trimmed."""
    cdef int32_t i
    cdef Page* page
    for i in range(log.first, log.first + log.count):
        page = log.pages[i]
        if page.start <= pos < page.start + page.used:
            return page
    page = p.pin
    return page if page != NULL and page.start <= pos < page.start + page.used else NULL


cdef bytes read_log(const PlayerState* p, const Log* log, int64_t pos, int64_t stop):
    """Return the bytes of [pos, stop), None where some of them were trimmed or never written."""
    cdef list parts = []
    cdef int64_t end
    cdef Page* page
    while pos < stop:
        page = page_at(p, log, pos)
        if page == NULL:
            return None
        end = min(stop, page.start + page.used)
        parts.append(page.bytes[pos - page.start:end - page.start])
        pos = end
    return b"".join(parts)


def player_state(Sender sender not None, SendHandle player not None):
    """Return a player as a dict of plain values; None where its socket cannot go on elsewhere. The threads are paused.

    `rest` is to be sent first, without framing; then `block`, framed; then the log from `position` on, -1: from the
    next keyframe on.
    """
    cdef PlayerState* p = &player.state
    cdef Log* log
    cdef Page* page
    cdef int64_t pos = p.pos
    cdef int64_t left, stop
    cdef int32_t i
    if not sender.paused or load32_acquire(&p.closed) or p.leaving or p.group == NULL or p.finished:
        return None
    log = (<Group*>p.group).log
    rest = b"" if p.preamble == NULL else p.preamble.bytes[p.preamble_at:p.preamble.size]
    rest += p.mark[p.mark_at:p.mark_size]
    block = b"" if p.block == NULL else p.block.bytes[p.block_at:p.block.size]
    stop = pos
    if p.framing == FRAMING_RAW:
        rest += block
        block = b""
    elif p.frame_left > 0:
        left = min(p.frame_left, <int64_t>len(block))
        rest += block[:left]
        block = block[left:]
        stop = pos + p.frame_left - left
        if p.waiting and stop > pos:
            return None
    part = read_log(p, log, pos, stop)
    if part is None:
        return None
    rest += part
    if p.framing == FRAMING_CHUNKED and p.frame_left > 0:
        rest += b"\r\n"
    # Who goes on holds no page: it begins with a whole tag, before which it may jump. A frame may end within one.
    page = NULL if p.waiting else page_at(p, log, stop)
    i = page_tag_at(page, stop) if page != NULL else -1
    if i >= 0 and stop != page.start + page.tags[i].offset:
        part = read_log(p, log, stop, page.start + page.tags[i].offset + page.tags[i].size)
        stop += len(part)
        if p.framing == FRAMING_RAW:
            rest += part
        else:
            block += part
    if p.waiting or (stop < load_relaxed(&log.head) and page_at(p, log, stop) == NULL):
        stop = -1
    return values_of(p, rest, block, stop)


cdef dict values_of(const PlayerState* p, bytes rest, bytes block, int64_t position):
    return {
        "rest": rest,
        "block": block,
        "position": position,
        "framing": p.framing,
        "thin": p.thin,
        "epoch_pos": p.epoch_pos,
        "credit_ms": p.credit_ms,
        "mark": p.unacknowledged,
        "pictured": bool(p.pictured),
        "first_us": p.first_us,
        "key_us": p.key_us,
        "sent": p.sent,
        "sends": p.sends,
        "jumps": p.jumps,
    }


def player_form():
    """Return the state of a player that has not begun: `player_state` gives the same names."""
    cdef PlayerState p
    memset(&p, 0, sizeof(p))
    return values_of(&p, b"", b"", 0)


def restore_player(Sender sender not None, SendHandle player not None, dict state not None):
    """Have a player that was added while the threads are paused go on as `player_state` says.

    Raises what a conversion of a wrong value raises; the player is then as `Sender.add` made it.
    """
    cdef PlayerState* p = &player.state
    cdef Log* log = <Log*>p.group
    cdef PlayerState given
    given.thin = state["thin"]
    given.unacknowledged = state["mark"]
    given.epoch_pos = state["epoch_pos"]
    given.credit_ms = state["credit_ms"]
    given.first_us = state["first_us"]
    given.key_us = state["key_us"]
    given.sent = state["sent"]
    given.sends = state["sends"]
    given.jumps = state["jumps"]
    if not sender.paused:
        return
    given.thin.drop_ms = p.thin.drop_ms
    given.thin.bridge = given.thin.bridge and log.bridge != NULL
    if not p.waiting:
        p.thin = given.thin
    p.unacknowledged = given.unacknowledged
    p.epoch_pos = given.epoch_pos
    p.credit_ms = given.credit_ms
    p.first_us = given.first_us
    p.key_us = given.key_us
    store_relaxed(&p.sent, given.sent)
    store_relaxed(&p.sends, given.sends)
    store_relaxed(&p.jumps, given.jumps)


def socket_of(SendHandle player not None):
    """Return the descriptor of a player's socket, which stays the player's."""
    return player.state.fd


def part_player(Sender sender not None, SendHandle player not None, int nothing):
    """Forget a player whose socket another process has by now: nothing is sent, and its owner is told nothing.

    *nothing*: a descriptor of /dev/null, which stays the caller's. The threads are paused.
    """
    cdef PlayerState* p = &player.state
    if not sender.paused or load32_acquire(&p.closed):
        return
    # A registration belongs to the socket, which lives on: its events would come to a player that is freed.
    epoll_ctl(sender.threads[player.thread].epfd, EPOLL_CTL_DEL, p.fd, NULL)
    dup2(nothing, p.fd)
    player.owner = None
    sender.ask(player, ASKED_LEAVE)
