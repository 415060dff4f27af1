"""What a thread does with one of its players: it sends, notes the outcome, and looks at those that are blocked."""

from libc.stdint cimport int32_t, int64_t, uint8_t
from libc.stdlib cimport realloc

from fastflv._ext.core.atomics cimport add32, load32_acquire, load_acquire, load_relaxed, store_relaxed
from fastflv._ext.core.sockets cimport clock_us
from fastflv._ext.fanout.group cimport Group, keep_floor, look, raise_floor
from fastflv._ext.fanout.ladder cimport measure_lag
from fastflv._ext.fanout.lag cimport INTER
from fastflv._ext.fanout.pace cimport pace
from fastflv._ext.fanout.player cimport (
    LEFT_ENDED, LEFT_EPOCH, LEFT_PEER, LEFT_RECALLED, LEFT_SLOW, LEFT_STALLED, SEND_BLOCKED, SEND_FAILED,
    SEND_RECALLED, PlayerState, player_finish, player_send,
)
from fastflv._ext.fanout.thread cimport Thread

from fastflv import limits

cdef int64_t CHECK_US = limits.BLOCKED_CHECK_MS * 1000
cdef int64_t LATE_US = <int64_t>(limits.LATE_SECONDS * 1000000)


cdef void mark_leaving(Thread* t, PlayerState* p, uint8_t why) noexcept nogil:
    """Mark a player to be released, at the end of this turn or a later one; all lists stay as they are until then."""
    cdef PlayerState** grown
    if p.leaving:
        return
    p.leaving = why
    if t.gone_count == t.gone_room:
        grown = <PlayerState**>realloc(t.gone, (t.gone_room * 2 + 64) * sizeof(PlayerState*))
        if grown == NULL:
            # Without memory the player stays; its next event marks it again.
            p.leaving = 0
            return
        t.gone = grown
        t.gone_room = t.gone_room * 2 + 64
    t.gone[t.gone_count] = p
    t.gone_count += 1
    if why == LEFT_RECALLED:
        # Until `reap`: it may be added again where it was, and the floor of the group goes on without it.
        add32(&(<Group*>p.group).log.moving, 1)


cdef void note_blocked(Thread* t, PlayerState* p) noexcept nogil:
    """The player's socket is full: it is served again when that is writable, and looked at meanwhile."""
    p.blocked = 1
    keep_floor(<Group*>p.group, p.pos)
    p.progress_us = clock_us()
    if t.blocked == 0:
        t.check_us = p.progress_us + CHECK_US
    t.blocked += 1


cdef void serve(Thread* t, Group* g, PlayerState* p, int64_t head) noexcept nogil:
    """Send one player all that it can be sent up to *head*, and note the outcome."""
    cdef int64_t epoch_pos = load_acquire(&g.log.epoch_pos)
    cdef int outcome
    if p.epoch_pos != epoch_pos:
        head = min(head, epoch_pos)
    outcome = player_send(p, g.log, &g.view, head, &g.burst)
    if p.key_us == 0 or p.first_us == 0:
        note_start(p)
    if outcome == SEND_BLOCKED:
        note_blocked(t, p)
    elif outcome == SEND_FAILED:
        mark_leaving(t, p, LEFT_PEER)
    elif outcome == SEND_RECALLED:
        mark_leaving(t, p, LEFT_RECALLED)
    else:
        if p.pace_percent:
            p.paced = pace(p.fd, load_relaxed(&g.log.bytes_per_second) * p.pace_percent // 100, p.paced)
        end_response(t, g, p)


cdef void note_start(PlayerState* p) noexcept nogil:
    """Note when the player was sent its first byte and its first keyframe."""
    if p.first_us == 0 and p.sent:
        store_relaxed(&p.first_us, clock_us())
    if p.key_us == 0 and p.sent and p.block == NULL and p.preamble == NULL and (
        p.pictured or not (p.waiting or p.thin.skip & INTER)
    ):
        store_relaxed(&p.key_us, clock_us())


cdef void end_response(Thread* t, Group* g, PlayerState* p) noexcept nogil:
    """Release a player that was sent all of a log that has ended, or all of its epoch."""
    cdef int64_t epoch_pos = load_acquire(&g.log.epoch_pos)
    cdef bint over = p.epoch_pos != epoch_pos
    if (over and (p.waiting or p.pos >= epoch_pos)) or (
        load32_acquire(&g.log.ended) and (p.waiting or p.pos >= load_acquire(&g.log.head))
    ):
        if player_finish(p):
            mark_leaving(t, p, LEFT_EPOCH if over else LEFT_ENDED)
        else:
            note_blocked(t, p)


cdef void unblock(Thread* t, PlayerState* p) noexcept nogil:
    """Serve a blocked player whose socket is writable again."""
    cdef Group* g = <Group*>p.group
    cdef int64_t sent = p.sent, progress = p.progress_us
    p.blocked = 0
    t.blocked -= 1
    g.blocked -= 1
    look(g, clock_us())
    serve(t, g, p, g.seen)
    if p.blocked and p.sent == sent:
        p.progress_us = progress


# --- blocked players ------------------------------------------------------------------------

cdef void excuse_blocked(Thread* t, int64_t now, int64_t late) noexcept nogil:
    """The thread was held up for *late*, us: the machine may have stood still, and peers with it.

    Blocked players could be sent nothing. They get as much time again.
    """
    cdef Group* g = t.groups
    cdef int32_t i, k
    cdef PlayerState* p
    while g != NULL:
        for i in range(g.slot_count):
            for k in range(g.slots[i].count):
                p = g.slots[i].players[k]
                if p.blocked:
                    p.progress_us = min(p.progress_us + late, now)
        g = g.next


cdef void check_blocked(Thread* t, int64_t now) noexcept nogil:
    """Disconnect blocked players whose socket took no byte for too long, or whose lag exceeds `close_ms`."""
    cdef Group* g = t.groups
    cdef int32_t i, k
    cdef PlayerState* p
    cdef int64_t bound, low
    while g != NULL:
        low = g.seen
        bound = t.crew.drain_us if load32_acquire(&g.log.ended) else t.crew.stall_us
        for i in range(g.slot_count):
            for k in range(g.slots[i].count):
                p = g.slots[i].players[k]
                if not p.blocked:
                    continue
                if not p.waiting:
                    low = min(low, p.pos)
                if now - p.progress_us > bound:
                    mark_leaving(t, p, LEFT_STALLED)
                elif measure_lag(p, g.log, &g.view) > p.close_ms:
                    mark_leaving(t, p, LEFT_SLOW)
        if g.blocked:
            raise_floor(g, low)
        g = g.next


cdef void look_at_blocked(Thread* t, int64_t now) noexcept nogil:
    """Check the blocked players, when that is due; put it off once where the thread itself was held up."""
    cdef int64_t late = now - t.check_us
    if t.blocked == 0 or late < 0:
        return
    # Once: a thread that is always late still finds who does not read.
    if late > LATE_US and not t.excused:
        t.excused = 1
        t.check_us = now + late
        excuse_blocked(t, now, late)
    else:
        t.excused = 0
        t.check_us = now + CHECK_US
        check_blocked(t, now)
