"""Sender threads: they run without the GIL and send logs to players.

A thread owns its players. It sleeps in `epoll_wait` until a log's writer wakes it, a merge window comes due, or a full
socket is writable again. Without players that wait for anything it sleeps without a timeout.

- Merge window 0: each video frame wakes the thread, which sends it to all players of the log. Audio is
  sent with the next video frame, or alone after FLUSH_MS without video.
- Merge window N: players are spread over N ms in up to SLOTS_MAX slots. The thread serves one slot at a time and
  sleeps once a whole window brought nothing new.
- A send to all players of a log, or of a slot, is a pass (round.pyx). SERVE_COUNT players of one log are served in a
  turn, so that a small audience does not wait for a large one.
- Open merge window: the load of the thread chooses it (loadwindow.pyx); it is 0 while the load is low.
"""

from libc.errno cimport EINTR, errno
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.stdlib cimport free
from posix.unistd cimport close, read, write

from fastflv._ext.core.atomics cimport (
    add32, exchange32, load32_acquire, store32_relaxed, store32_release, store_relaxed,
)
from fastflv._ext.core.pthreads cimport pthread_mutex_lock, pthread_mutex_unlock
from fastflv._ext.core.sockets cimport (
    EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLERR, EPOLLET, EPOLLHUP, EPOLLOUT, EPOLLRDHUP, clock_us, epoll_ctl,
    epoll_event, epoll_wait,
)
from fastflv._ext.fanout.change cimport Change, change_group, free_changes
from fastflv._ext.fanout.group cimport (
    Group, add_group, find_group, flush_us, go_idle, join_group, leave_group, look, next_due, raise_floor,
    remove_group, set_window,
)
from fastflv._ext.fanout.ladder cimport give_credit
from fastflv._ext.fanout.loadwindow cimport load_turn
from fastflv._ext.fanout.player cimport (
    ASKED_BACK, LEFT_KICKED, LEFT_MEMORY, LEFT_PEER, LEFT_SHUTDOWN, PlayerState, player_is_whole, player_release,
)
from fastflv._ext.fanout.round cimport begin_pass, begin_passes, is_passing, next_player
from fastflv._ext.fanout.serve cimport look_at_blocked, mark_leaving, serve, unblock
from fastflv._ext.log.log cimport Log, log_drop

from fastflv import limits

cdef int32_t LEAVE_COUNT = limits.LEAVE_COUNT
cdef int64_t LEAVE_WAIT_US = limits.LEAVE_WAIT_MS * 1000
cdef int32_t LEAVE_ROOM = limits.LEAVE_ROOM
cdef int64_t LEAVE_US = limits.LEAVE_MS * 1000
cdef int32_t SERVE_COUNT = limits.SERVE_COUNT
cdef enum:
    EVENTS = 256


# --- groups of a thread ---------------------------------------------------------------------

cdef void serve_some(Thread* t, Group* g) noexcept nogil:
    """Go on with the passes of a group: SERVE_COUNT players in one turn, the others behind those of other logs."""
    cdef int32_t _i
    cdef PlayerState* p
    for _i in range(SERVE_COUNT):
        p = next_player(g)
        if p == NULL:
            break
        if not p.blocked and not p.leaving:
            serve(t, g, p, g.seen)
    if not g.blocked:
        raise_floor(g, g.seen)
    t.passing = t.passing or is_passing(g)


cdef void run_due(Group* g, int64_t now) noexcept nogil:
    """Serve a group whose next look at the log came due by the clock."""
    cdef int64_t step, last
    if g.window_us == 0:
        g.due_us = now + flush_us(g)
        if look(g, now) or g.seen != g.served:
            begin_passes(g)
        else:
            go_idle(g)
        return
    look(g, now)
    # All slots since the last look, so that a late thread leaves out none.
    step = g.due_us // g.slot_us
    last = min(now // g.slot_us, step + g.slot_count - 1)
    while step <= last:
        begin_pass(g, &g.slots[step % g.slot_count])
        step += 1
    g.due_us = next_due(g, now)
    if now - g.new_us > g.window_us + 2 * g.slot_us:
        go_idle(g)


cdef void run_woken(Group* g, int64_t now) noexcept nogil:
    """Serve a group whose log has new tags or has ended."""
    store32_relaxed(&g.waker.idle, 0)
    if g.window_us == 0 or load32_acquire(&g.log.ended):
        if look(g, now) or g.seen != g.served:
            begin_passes(g)
        g.due_us = next_due(g, now) if g.window_us else now + flush_us(g)
    elif g.due_us < 0:
        look(g, now)
        g.due_us = next_due(g, now)


# --- a thread's turn ------------------------------------------------------------------------

cdef void hand_back(Thread* t, PlayerState* p) noexcept nogil:
    """Close the player's socket and put the player on the list that `Sender.reap` empties."""
    cdef Crew* crew = t.crew
    cdef uint64_t one = 1
    cdef bint first
    # Closing does not end the registration while a duplicate of the descriptor is open elsewhere.
    epoll_ctl(t.epfd, EPOLL_CTL_DEL, p.fd, NULL)
    close(p.fd)
    p.fd = -1
    player_release(p)
    store_relaxed(&t.players, t.players - 1)
    # `asked` must not hold the player any more: the event loop may free it once it is reaped.
    pthread_mutex_lock(&t.lock)
    if p.asked_at:
        t.asked[p.asked_at - 1] = NULL
    # Release, paired with the acquire in SendHandle: the event loop that sees `closed` sees the last counters.
    store32_release(&p.closed, 1)
    pthread_mutex_unlock(&t.lock)
    pthread_mutex_lock(&crew.lock)
    first = crew.left == NULL
    p.next = crew.left
    crew.left = p
    pthread_mutex_unlock(&crew.lock)
    if first:
        write(crew.fd, &one, sizeof(one))


cdef void take_inbox(Thread* t) noexcept nogil:
    """Apply the changes that the event loop posted, then start the players that it added, oldest first."""
    cdef PlayerState* p
    cdef PlayerState* following
    cdef PlayerState* ordered = NULL
    cdef Change* changes
    cdef Change* change
    cdef Group* g
    pthread_mutex_lock(&t.lock)
    p = t.joining
    t.joining = NULL
    changes = t.changes
    t.changes = NULL
    pthread_mutex_unlock(&t.lock)
    change = changes
    while change != NULL:
        g = find_group(t.groups, change.log)
        if g != NULL:
            change_group(g, change, t.load.window_us, clock_us())
        change = change.next
    free_changes(changes)
    while p != NULL:
        following = p.next
        p.next = ordered
        ordered = p
        p = following
    while ordered != NULL:
        p = ordered
        ordered = p.next
        p.next = NULL
        store_relaxed(&t.players, t.players + 1)
        start_player(t, p)


cdef void start_player(Thread* t, PlayerState* p) noexcept nogil:
    """Add a new player to the group of its log and send it its start at once, whatever the merge window."""
    cdef Log* log = <Log*>p.group
    cdef Group* g = find_group(t.groups, log)
    cdef epoll_event event
    cdef bint is_open
    cdef int64_t window, now = clock_us()
    p.group = NULL
    if g == NULL:
        is_open = p.progress_us < 0
        window = t.load.window_us if is_open else p.progress_us
        g = add_group(&t.groups, log, t.fd, window, is_open, t.crew.settle_us)
    if g == NULL or join_group(g, p) < 0:
        add32(&log.moving, -1)
        log_drop(log)
        p.leaving = LEFT_MEMORY
        hand_back(t, p)
        return
    log_drop(log)
    event.events = <uint32_t>(EPOLLOUT | EPOLLRDHUP) | EPOLLET
    event.data.ptr = p
    if epoll_ctl(t.epfd, EPOLL_CTL_ADD, p.fd, &event) < 0:
        add32(&g.log.moving, -1)
        mark_leaving(t, p, LEFT_PEER)
        return
    look(g, now)
    if p.credit_ms < 0:
        give_credit(p, g.log, &g.view)
    serve(t, g, p, g.seen)
    if g.count == 1:
        g.served = g.seen
    if g.slots[p.slot].count == 1:
        g.slots[p.slot].served = g.seen
    add32(&g.log.moving, -1)
    if g.due_us < 0:
        store32_relaxed(&g.waker.idle, 0)
        g.due_us = now + flush_us(g) if g.window_us == 0 else next_due(g, now)


cdef bint take_asked(Thread* t) noexcept nogil:
    """Kick and recall players as the event loop asks; False, with nothing done, while players wait in `joining`.

    A player that is asked to leave may be among those that wait.
    """
    cdef int32_t i, count
    cdef PlayerState** asked
    cdef PlayerState* p
    cdef Group* g
    pthread_mutex_lock(&t.lock)
    if t.joining != NULL:
        pthread_mutex_unlock(&t.lock)
        return False
    asked, count = t.asked, t.asked_count
    t.asked, t.asked_count, t.asked_room = NULL, 0, 0
    for i in range(count):
        p = asked[i]
        if p == NULL:
            continue
        p.asked_at = 0
        if p.asked == ASKED_BACK:
            p.recalled = 1
        else:
            mark_leaving(t, p, LEFT_KICKED)
    pthread_mutex_unlock(&t.lock)
    # Outside the lock, so that the event loop does not wait for sends. No player is freed before the end of this turn.
    for i in range(count):
        p = asked[i]
        # A blocked player goes on when its socket is writable.
        if p != NULL and p.recalled and not p.blocked and not p.leaving:
            g = <Group*>p.group
            serve(t, g, p, g.seen)
    free(asked)
    return True


cdef void release_left(Thread* t, int32_t most) noexcept nogil:
    """Release players that were marked, *most* of them, oldest first."""
    cdef PlayerState* p
    cdef Group* g
    cdef Group* empty
    while t.gone_at < t.gone_count and most > 0:
        p = t.gone[t.gone_at]
        t.gone_at += 1
        most -= 1
        g = <Group*>p.group
        if p.blocked:
            t.blocked -= 1
            g.blocked -= 1
        p.whole = player_is_whole(p, &g.view)
        empty = leave_group(p)
        if empty != NULL:
            remove_group(&t.groups, empty)
        hand_back(t, p)
    if t.gone_at == t.gone_count:
        t.gone_at = t.gone_count = 0


cdef int64_t next_timeout(Thread* t, int64_t now) noexcept nogil:
    """Return how long the thread may sleep, ms; -1: until it is woken."""
    cdef int64_t due = -1
    cdef Group* g = t.groups
    if t.passing:
        return 0
    while g != NULL:
        if g.due_us >= 0 and (due < 0 or g.due_us < due):
            due = g.due_us
        g = g.next
    if t.blocked and (due < 0 or t.check_us < due):
        due = t.check_us
    if t.gone_count and (due < 0 or due > now + LEAVE_US):
        due = now + LEAVE_US
    if due < 0:
        return -1
    return 0 if due <= now else (due - now + 999) // 1000


cdef void open_windows(Thread* t, int64_t now) noexcept nogil:
    """Set the merge window that the load asks for in all groups whose window is open."""
    cdef Group* g = t.groups
    while g != NULL:
        if g.open:
            set_window(g, t.load.window_us, now)
        g = g.next


cdef void* run_thread(void* arg) noexcept nogil:
    cdef Thread* t = <Thread*>arg
    cdef epoll_event events[EVENTS]
    cdef int i, n
    cdef int stopping = 0
    cdef int64_t woke, now = clock_us()
    cdef uint64_t count
    cdef PlayerState* p
    cdef Group* g
    cdef Group* following
    cdef bint called
    t.load.since_us = now
    while True:
        n = epoll_wait(t.epfd, events, EVENTS, <int>next_timeout(t, now))
        if n < 0 and errno != EINTR:
            return NULL
        woke = clock_us()
        store_relaxed(&t.wakeups, t.wakeups + 1)
        called = False
        for i in range(n):
            p = <PlayerState*>events[i].data.ptr
            if p == NULL:
                read(t.fd, &count, sizeof(count))
                called = True
            elif events[i].events & <uint32_t>(EPOLLERR | EPOLLHUP | EPOLLRDHUP):
                mark_leaving(t, p, LEFT_PEER)
            elif p.blocked and not p.leaving:
                unblock(t, p)
        if called:
            # Before the inbox is read: a player that was added before the stop is taken.
            stopping = load32_acquire(&t.stop)
            take_inbox(t)
            while not take_asked(t):
                take_inbox(t)
            if stopping:
                break
        now = clock_us()
        t.passing = 0
        g = t.groups
        while g != NULL:
            following = g.next
            if exchange32(&g.waker.due, 0):
                run_woken(g, now)
            elif 0 <= g.due_us <= now:
                run_due(g, now)
            if is_passing(g):
                serve_some(t, g)
            g = following
        look_at_blocked(t, now)
        # Those who play go before those who left, whose ends have the event loop work on the same core.
        if not t.passing or now - t.released_us >= LEAVE_WAIT_US or t.gone_count - t.gone_at >= LEAVE_ROOM:
            t.released_us = now
            release_left(t, LEAVE_COUNT)
        now = clock_us()
        if load_turn(&t.load, woke, now):
            open_windows(t, now)
    g = t.groups if stopping == STOP_END else NULL
    while g != NULL:
        for i in range(g.slot_count):
            for n in range(g.slots[i].count):
                mark_leaving(t, g.slots[i].players[n], LEFT_SHUTDOWN)
        g = g.next
    release_left(t, t.gone_count)
    return NULL
