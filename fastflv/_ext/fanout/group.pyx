"""The players of one log in one thread: their slots in the merge window, and the times of their service.

Sleeping and waking are described in waker.pyx.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free, malloc, realloc

from fastflv._ext.core.atomics cimport (
    fence, load32_acquire, load_acquire, store32_relaxed, store_relaxed, store_release,
)
from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.fanout.round cimport begin_passes, fill_gap, is_passing
from fastflv._ext.log.log cimport (
    Log, log_add_floor, log_add_waker, log_drop, log_hold, log_remove_floor, log_remove_waker,
)
from fastflv._ext.log.view cimport view_clear, view_refresh

from fastflv import limits

cdef int64_t FLUSH_US = limits.FLUSH_MS * 1000
cdef int64_t FLUSH_AUDIO_US = limits.FLUSH_AUDIO_MS * 1000
cdef int64_t SLOT_US = limits.SLOT_MS * 1000
cdef int64_t SLOTS_MAX = limits.SLOTS_MAX


# --- times -----------------------------------------------------------------------------------

cdef bint look(Group* g, int64_t now) noexcept nogil:
    """Read the head of the log into `seen`; return whether it moved since the last look, or the log has ended."""
    cdef int64_t head = load_acquire(&g.log.head)
    if head == g.seen and not load32_acquire(&g.log.ended):
        return False
    g.seen = head
    g.new_us = now
    # It points into pages that the view may give up.
    g.burst.pos = -1
    return view_refresh(&g.view, g.log) == 0


cdef int64_t flush_us(Group* g) noexcept nogil:
    """Return how long audio waits for a video frame to be sent with, us."""
    return FLUSH_US if load32_acquire(&g.log.has_video) else FLUSH_AUDIO_US


cdef int64_t next_due(Group* g, int64_t now) noexcept nogil:
    """Return the clock of the next slot that has players, after *now*."""
    cdef int64_t step = now // g.slot_us
    cdef int32_t k
    for k in range(1, g.slot_count + 1):
        if g.slots[(step + k) % g.slot_count].count:
            return (step + k) * g.slot_us
    return now + g.window_us


cdef void go_idle(Group* g) noexcept nogil:
    """Have the writer wake the thread for the next tag; stay awake when one was published meanwhile."""
    store32_relaxed(&g.waker.idle, 1)
    # Orders the store of `idle` before the load of the head; pairs with the fence in wake_log_readers.
    fence()
    if load_acquire(&g.log.head) != g.seen:
        store32_relaxed(&g.waker.idle, 0)
        return
    g.due_us = -1


cdef void keep_floor(Group* g, int64_t pos) noexcept nogil:
    """A player at *pos* is blocked: the floor stays, and falls for a new one, which starts further back than others."""
    g.blocked += 1
    if pos < g.floor.pos:
        store_relaxed(&g.floor.pos, pos)


cdef void raise_floor(Group* g, int64_t most) noexcept nogil:
    """Have the log keep no history below what all slots were served, or below *most*, where blocked players read."""
    cdef int32_t i
    for i in range(g.slot_count):
        if g.slots[i].count:
            most = min(most, g.slots[i].served)
    # Release: pairs with the acquire in `lowest_floor`.
    store_release(&g.floor.pos, most)


cdef void set_window(Group* g, int64_t window_us, int64_t now) noexcept nogil:
    """Merge over another time from now on; the slots stay as they are."""
    # One slot cannot spread the sends.
    g.window_us = window_us if g.slot_count > 1 else 0
    # Relaxed: a writer that sees the old value does not wake the thread, which looks at `due_us` all the same.
    store32_relaxed(&g.waker.merges, g.window_us > 0)
    g.slot_us = max(SLOT_US, g.window_us // g.slot_count)
    if g.due_us >= 0:
        g.due_us = next_due(g, now) if g.window_us else now + flush_us(g)
        # Each slot is served once more before the group sleeps.
        g.new_us = now


cdef int32_t slots_of(int64_t window_us, bint is_open) noexcept nogil:
    """Return the number of slots for a merge window; a window that follows the load keeps its slots."""
    return <int32_t>SLOTS_MAX if is_open else max(1, <int32_t>(window_us // max(SLOT_US, window_us // SLOTS_MAX)))


cdef bint spread_players(Group* g, int32_t slot_count) noexcept nogil:
    """Spread the players over another number of slots; False without memory, and then nothing has changed."""
    cdef Slot* slots = <Slot*>calloc(slot_count, sizeof(Slot))
    cdef PlayerState* p
    cdef int32_t i, k
    cdef int32_t to = 0
    cdef int32_t room = g.count // slot_count + 1
    cdef bint failed = slots == NULL
    if not failed:
        for i in range(slot_count):
            slots[i].players = <PlayerState**>malloc(room * sizeof(PlayerState*))
            slots[i].room = room
            failed = failed or slots[i].players == NULL
    if failed:
        free_slots(slots, slot_count)
        return False
    for i in range(g.slot_count):
        for k in range(g.slots[i].count):
            p = g.slots[i].players[k]
            p.slot = to
            p.index = slots[to].count
            slots[to].players[p.index] = p
            slots[to].count += 1
            to = (to + 1) % slot_count
    for i in range(slot_count):
        # All of them: who has just come is in front until it leaves, which harms nobody.
        slots[i].settled = slots[i].count
    free_slots(g.slots, g.slot_count)
    g.slots = slots
    g.slot_count = slot_count
    g.next_slot = to
    g.asked = g.passing = 0
    return True


cdef void free_slots(Slot* slots, int32_t count) noexcept nogil:
    cdef int32_t i
    if slots != NULL:
        for i in range(count):
            free(slots[i].players)
    free(slots)


cdef void change_window(Group* g, int64_t window_us, bint is_open, int64_t now) noexcept nogil:
    """Merge over another time from now on, on as many slots as it needs; *is_open*: the window follows the load.

    Without memory the slots stay, and the sends are spread less evenly.
    """
    cdef int32_t slot_count = slots_of(window_us, is_open)
    cdef bint passing = is_passing(g)
    g.open = is_open
    if slot_count != g.slot_count and spread_players(g, slot_count) and passing:
        begin_passes(g)
    set_window(g, window_us, now)


# --- players ---------------------------------------------------------------------------------

cdef Group* find_group(Group* groups, Log* log) noexcept nogil:
    cdef Group* g = groups
    while g != NULL and g.log != log:
        g = g.next
    return g


cdef Group* add_group(
    Group** groups, Log* log, int fd, int64_t window_us, bint is_open, int64_t settle_us
) noexcept nogil:
    """Begin to follow *log* for players of a thread that *fd* wakes; NULL without memory."""
    cdef Group* g = <Group*>calloc(1, sizeof(Group))
    if g == NULL:
        return NULL
    g.open = is_open
    g.settle_us = settle_us
    g.slot_us = max(SLOT_US, window_us // SLOTS_MAX)
    g.slot_count = slots_of(window_us, is_open)
    g.slots = <Slot*>calloc(g.slot_count, sizeof(Slot))
    g.window_us = window_us if g.slot_count > 1 else 0
    # Before the log's writer knows the waker.
    g.waker.fd = fd
    g.waker.idle = 1
    g.waker.merges = g.window_us > 0
    if g.slots == NULL or log_add_waker(log, &g.waker) < 0:
        free(g.slots)
        free(g)
        return NULL
    g.log = log
    log_hold(log)
    log_add_floor(log, &g.floor)
    g.due_us = -1
    g.view.version = -1
    g.burst.pos = -1
    g.seen = -1
    g.next = groups[0]
    groups[0] = g
    return g


cdef void remove_group(Group** groups, Group* g) noexcept nogil:
    cdef Group** link = groups
    while link[0] != g:
        link = &link[0].next
    link[0] = g.next
    log_remove_waker(g.log, &g.waker)
    log_remove_floor(g.log, &g.floor)
    view_clear(&g.view)
    free(g.view.pages)
    free_slots(g.slots, g.slot_count)
    log_drop(g.log)
    free(g)


cdef int join_group(Group* g, PlayerState* p) noexcept nogil:
    """Put a player into the next slot, round robin; -1 without memory."""
    cdef Slot* slot = &g.slots[g.next_slot]
    cdef PlayerState** grown
    if slot.count == slot.room:
        grown = <PlayerState**>realloc(slot.players, (slot.room * 2 + 8) * sizeof(PlayerState*))
        if grown == NULL:
            return -1
        slot.players = grown
        slot.room = slot.room * 2 + 8
    p.slot = g.next_slot
    p.index = slot.count
    p.group = g
    slot.players[slot.count] = p
    slot.count += 1
    g.count += 1
    g.next_slot = (g.next_slot + 1) % g.slot_count
    return 0


cdef Group* leave_group(PlayerState* p) noexcept nogil:
    """Take a player out of its group; return the group when it is empty and must be removed, else NULL."""
    cdef Group* g = <Group*>p.group
    cdef Slot* slot = &g.slots[p.slot]
    fill_gap(slot, p.index)
    # The next player fills the gap, so that slots stay even.
    g.next_slot = p.slot
    g.count -= 1
    p.group = NULL
    return g if g.count == 0 else NULL
