"""Settings that change while players are served.

The event loop posts a change for a log to each thread. Players that still wait in the inbox are changed there, under
its lock; a thread applies the change to the players that it serves before it takes new ones. So each player has the
settings of the last call, whichever came first, its `add` or the change.
"""

from libc.stdint cimport int32_t, int64_t
from libc.stdlib cimport calloc, free

from fastflv._ext.fanout.group cimport Group, change_window
from fastflv._ext.fanout.pace cimport unpace
from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.log.log cimport log_drop, log_hold


cdef int post_change(Change** inbox, const Change* change) noexcept nogil:
    """Put a copy of *change* into *inbox*, whose lock the caller holds; -1 without memory.

    A change of the same log that waits there is replaced, so the inbox holds at most one for each log.
    """
    cdef Change* waiting = inbox[0]
    cdef Change* following
    while waiting != NULL and waiting.log != change.log:
        waiting = waiting.next
    if waiting == NULL:
        waiting = <Change*>calloc(1, sizeof(Change))
        if waiting == NULL:
            return -1
        log_hold(change.log)
        following = inbox[0]
        inbox[0] = waiting
    else:
        following = waiting.next
    waiting[0] = change[0]
    waiting.next = following
    return 0


cdef void free_changes(Change* changes) noexcept nogil:
    """Free a list of changes and the references that it holds."""
    cdef Change* following
    while changes != NULL:
        following = changes.next
        log_drop(changes.log)
        free(changes)
        changes = following


cdef void change_player(PlayerState* p, const Change* change) noexcept nogil:
    """Give one player new settings, but for the merge window; its place in the log and in its frame stays."""
    p.thin.drop_ms = change.drop_ms
    p.jump_ms = change.jump_ms
    p.close_ms = change.close_ms
    if p.pace_percent != change.pace_percent:
        p.pace_percent = change.pace_percent
        # Asking `paced` would miss a bound: a change before this one cleared it, and no send came between.
        if p.pace_percent == 0:
            unpace(p.fd)
        # The next send sets the new rate, however near it is to the old one.
        p.paced = 0


cdef void change_group(Group* g, const Change* change, int64_t load_window_us, int64_t now) noexcept nogil:
    """Give all players of a group new settings. *load_window_us*: the window that the load of the thread asks for."""
    cdef int32_t i, k
    cdef bint is_open = change.window_us < 0
    for i in range(g.slot_count):
        for k in range(g.slots[i].count):
            change_player(g.slots[i].players[k], change)
    change_window(g, load_window_us if is_open else change.window_us, is_open, now)
