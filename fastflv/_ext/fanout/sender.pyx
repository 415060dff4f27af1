"""The event loop's side of the sender threads: players are added, configured, kicked, recalled and reaped here."""

cimport cython
from cpython.ref cimport Py_DECREF, Py_INCREF
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.stdlib cimport calloc, free, realloc
from posix.unistd cimport close, read, write

from fastflv._ext.core.atomics cimport add32, load32_acquire, load_relaxed, store32_release
from fastflv._ext.core.pthreads cimport (
    pthread_create, pthread_join, pthread_mutex_destroy, pthread_mutex_init, pthread_mutex_lock, pthread_mutex_unlock,
)
from fastflv._ext.core.sockets cimport (
    EFD_CLOEXEC, EFD_NONBLOCK, EPOLL_CLOEXEC, EPOLL_CTL_ADD, EPOLLIN, IPPROTO_TCP, TCP_NODELAY,
    epoll_create1, epoll_ctl, epoll_event, eventfd, setsockopt,
)
from fastflv._ext.fanout.change cimport Change, change_player, free_changes, post_change
from fastflv._ext.fanout.ladder cimport skip_leading, skip_until_key
from fastflv._ext.fanout.pace cimport keep_unsent
from fastflv._ext.fanout.player cimport (
    ASKED_BACK, ASKED_LEAVE, LEFT_ENDED, LEFT_EPOCH, LEFT_KICKED, LEFT_MEMORY, LEFT_PEER, LEFT_RECALLED, LEFT_SHUTDOWN,
    LEFT_SLOW, LEFT_STALLED, PlayerState,
)
from fastflv._ext.fanout.thread cimport STOP_END, Thread, run_thread
from fastflv._ext.log.block cimport MediaBlock, block_hold
from fastflv._ext.log.log cimport log_hold
from fastflv._ext.log.medialog cimport MediaLog

from fastflv import limits
from fastflv._ext.fanout.pace import bytes_per_second
from fastflv.errors import ResourceError, UsageError

REASONS = {
    LEFT_PEER: "peer closed",
    LEFT_ENDED: "stream ended",
    LEFT_STALLED: "stalled",
    LEFT_SLOW: "too slow",
    LEFT_KICKED: "kicked",
    LEFT_SHUTDOWN: "server stops",
    LEFT_MEMORY: "out of memory",
    LEFT_RECALLED: "recalled",
    LEFT_EPOCH: "clock restarted",
}


@cython.final
cdef class SendHandle:
    """One player handed to a sender thread. Made by `Sender.add`; counters may be read at any time."""

    def __init__(self):
        raise UsageError("players are made by Sender.add")

    @property
    def sent(self):
        """Bytes the socket took, with framing."""
        return load_relaxed(&self.state.sent)

    @property
    def received(self):
        """0: sender threads read nothing from their sockets."""
        return 0

    @property
    def sends(self):
        """System calls that sent something."""
        return load_relaxed(&self.state.sends)

    @property
    def jumps(self):
        """How often lag moved this player on to a keyframe."""
        return load_relaxed(&self.state.jumps)

    @property
    def drops(self):
        """How often lag began to leave out disposable pictures."""
        return load_relaxed(&self.state.thin.drops)

    @property
    def dropped(self):
        """Pictures left out one by one; those that a jump passed over are not counted."""
        return load_relaxed(&self.state.thin.dropped)

    @property
    def lag_ms(self):
        """Age of the oldest media that the peer has not acknowledged, ms, when last measured; 0 while it keeps up."""
        return load_relaxed(&self.state.lag_ms)

    @property
    def first_at(self):
        """When the socket had taken a first byte, seconds by the monotonic clock; 0: it has not."""
        return load_relaxed(&self.state.first_us) / 1e6

    @property
    def key_at(self):
        """When it had taken a first keyframe, likewise; below 0 where nobody knows: start `live`, no video."""
        return load_relaxed(&self.state.key_us) / 1e6

    @property
    def closed(self):
        return bool(load32_acquire(&self.state.closed))

    @property
    def reason(self):
        """Why the player left, "" before."""
        return REASONS[self.state.leaving] if load32_acquire(&self.state.closed) else ""

    @property
    def recalled(self):
        """The player left because of `Sender.recall`."""
        return bool(load32_acquire(&self.state.closed) and self.state.leaving == LEFT_RECALLED)

    @property
    def whole(self):
        """The player left between two tags and two frames, so that its connection can be written to."""
        return bool(load32_acquire(&self.state.closed) and self.state.whole)

    @property
    def position(self):
        """Log position at which a player that left can go on; -1: at the next keyframe."""
        if not load32_acquire(&self.state.closed) or self.state.waiting or self.state.cut >= 0:
            return -1
        return self.state.pos


cdef void leave_log(SendHandle player) noexcept:
    """A player that left reads its log no more."""
    cdef MediaLog log = <MediaLog>player.log
    add32(&log.log.readers, -1)
    if player.state.leaving == LEFT_RECALLED:
        add32(&log.log.moving, -1)


@cython.final
cdef class Sender:
    """A set of sender threads. Belongs to the event loop; only `stop` blocks.

    A player whose socket takes no byte for *stall_seconds* is disconnected; for *drain_seconds* once its log has ended.
    One that was first sent something less than *settle_ms* ago is served behind the others.
    `fd` is readable while `reap` has players to return.
    """

    def __cinit__(
        self,
        int threads=1,
        *,
        double stall_seconds=limits.STALL_SECONDS,
        double drain_seconds=limits.DRAIN_SECONDS,
        int settle_ms=limits.PLAYER_SETTLE_MS,
    ):
        cdef int i
        cdef epoll_event event
        cdef Thread* t
        # First, because `__dealloc__` closes each descriptor that is not below 0.
        self.crew.fd = -1
        if not 1 <= threads <= limits.THREADS_MAX:
            raise UsageError(f"1 to {limits.THREADS_MAX} sender threads, not {threads}")
        self.players = set()
        pthread_mutex_init(&self.crew.lock, NULL)
        self.crew.stall_us = <int64_t>(stall_seconds * 1000000)
        self.crew.drain_us = <int64_t>(drain_seconds * 1000000)
        self.crew.settle_us = <int64_t>settle_ms * 1000
        self.crew.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
        # Before the first thread starts: when a later one cannot start, `__dealloc__` ends the others.
        self.running = True
        self.threads = <Thread*>calloc(threads, sizeof(Thread))
        self.load = <int*>calloc(threads, sizeof(int))
        if self.crew.fd < 0 or self.threads == NULL or self.load == NULL:
            raise ResourceError("no descriptor or memory for sender threads")
        for i in range(threads):
            t = &self.threads[i]
            t.crew = &self.crew
            pthread_mutex_init(&t.lock, NULL)
            t.epfd = epoll_create1(EPOLL_CLOEXEC)
            t.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)
            event.events = EPOLLIN
            event.data.ptr = NULL
            if (
                t.epfd < 0 or t.fd < 0 or epoll_ctl(t.epfd, EPOLL_CTL_ADD, t.fd, &event) < 0
                or pthread_create(&t.id, NULL, run_thread, t) != 0
            ):
                if t.epfd >= 0:
                    close(t.epfd)
                if t.fd >= 0:
                    close(t.fd)
                pthread_mutex_destroy(&t.lock)
                raise ResourceError("no descriptors or no thread for sending; raise the limits of the process")
            self.thread_count += 1

    def __dealloc__(self):
        cdef int i
        cdef PlayerState* p = NULL
        cdef SendHandle player
        if self.running:
            self.halt()
        p = self.crew.left
        while p != NULL:
            player = <SendHandle>p.object
            p = p.next
            leave_log(player)
            Py_DECREF(player)
        if self.threads != NULL:
            for i in range(self.thread_count):
                free_changes(self.threads[i].changes)
                free(self.threads[i].asked)
                free(self.threads[i].gone)
                pthread_mutex_destroy(&self.threads[i].lock)
        free(self.threads)
        free(self.load)
        if self.crew.fd >= 0:
            close(self.crew.fd)
        pthread_mutex_destroy(&self.crew.lock)

    cdef void halt(self) noexcept:
        cdef int i
        cdef uint64_t one = 1
        for i in range(self.thread_count):
            store32_release(&self.threads[i].stop, STOP_END)
            write(self.threads[i].fd, &one, sizeof(one))
        with nogil:
            for i in range(0 if self.paused else self.thread_count):
                pthread_join(self.threads[i].id, NULL)
        self.running = False
        # Each thread has taken its wakers from the logs.
        for i in range(self.thread_count):
            close(self.threads[i].epfd)
            close(self.threads[i].fd)
        if self.crew.fd >= 0:
            close(self.crew.fd)
            self.crew.fd = -1

    @property
    def fd(self):
        """Descriptor that is readable while players wait to be reaped; -1 after `stop`."""
        return self.crew.fd

    @property
    def count(self):
        """Players added and not reaped."""
        return len(self.players)

    @property
    def loads(self):
        """Players of each thread."""
        return [self.load[i] for i in range(self.thread_count)]

    @property
    def windows_ms(self):
        """Open merge window of each thread, as its load asks for it, ms."""
        return [load_relaxed(&self.threads[i].load.window_us) // 1000 for i in range(self.thread_count)]

    @property
    def wakeups(self):
        """How often threads woke, in total. Read by tests: idle threads must sleep."""
        cdef int64_t total = 0
        for i in range(self.thread_count):
            total += load_relaxed(&self.threads[i].wakeups)
        return total

    def add(
        self,
        int fd,
        MediaLog log not None,
        *,
        int framing,
        MediaBlock preamble=None,
        MediaBlock start=None,
        int64_t position=-1,
        int64_t merge_window_ms=0,
        int64_t drop_ms=limits.LAG_DROP_MS,
        int64_t jump_ms=limits.LAG_JUMP_MS,
        int64_t close_ms=limits.LAG_CLOSE_MS,
        int64_t pace_percent=0,
        bint nodelay=True,
        bint until_key=False,
        bint pictured=False,
        object owner=None,
        SendHandle before=None,
    ):
        """Take over the connected, non-blocking socket *fd*; the Sender closes it, also when it raises an error.

        The player is sent *preamble* without framing, *start* in a frame, then the log from *position* on. Position -1
        is the next keyframe; with *until_key*, pictures before the next keyframe are left out. *pictured*: the
        start has a keyframe. *framing*: FRAMING_*.

        A player that lags more than *drop_ms* is sent no disposable pictures. Beyond *jump_ms* it jumps to a keyframe;
        beyond *close_ms* it is disconnected. With *pace_percent* above 0, the kernel sends at most that part of the
        stream's rate, once the start is sent.
        All players of one log share the *merge_window_ms* of the first, ms; below 0 it follows the load of the thread.
        *before*: the handle of the same player before it was recalled; its lag goes on. Raises UsageError after `stop`.
        """
        cdef SendHandle player = SendHandle.__new__(SendHandle)
        cdef PlayerState* p = &player.state
        cdef Thread* t
        cdef int best = 0
        cdef int i
        cdef int flag = 1
        cdef uint64_t one = 1
        cdef bint first
        if not self.running:
            close(fd)
            raise UsageError("the sender has stopped")
        for i in range(1, self.thread_count):
            if self.load[i] < self.load[best]:
                best = i
        t = &self.threads[best]
        if nodelay:
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &flag, sizeof(flag))
        keep_unsent(fd, bytes_per_second(log))
        p.pace_percent = pace_percent
        player.thread = best
        player.log = log
        player.owner = owner
        p.object = <void*>player
        p.fd = fd
        p.framing = <uint8_t>framing
        p.cut = -1
        p.thin.drop_ms = drop_ms
        p.jump_ms = jump_ms
        p.close_ms = close_ms
        p.pos = position
        if position < 0:
            p.waiting = 1
            p.pos = load_relaxed(&log.log.head)
            p.wait_pos = p.pos
        # Who starts before the present epoch ends where it begins.
        p.epoch_pos = log.log.epoch_pos if p.pos >= log.log.epoch_pos else -1
        if preamble is not None:
            p.preamble = preamble.block
            block_hold(p.preamble)
        if start is not None:
            p.block = start.block
            block_hold(p.block)
        p.pictured = pictured
        if not load32_acquire(&log.log.has_video) or not (pictured or until_key or position < 0):
            p.key_us = -1
        p.credit_ms = -1
        if before is not None and load32_acquire(&before.state.closed):
            p.credit_ms = before.state.credit_ms
            p.first_us = before.state.first_us
            p.key_us = before.state.key_us
            if before.log is log:
                p.epoch_pos = before.state.epoch_pos
            p.thin.skip = before.state.thin.skip
            p.thin.key_pos = before.state.thin.key_pos
            p.thin.wait_ms = before.state.thin.wait_ms
            p.thin.until_ms = before.state.thin.until_ms
        elif load32_acquire(&log.log.has_video):
            # Leading pictures of the first keyframe refer to pictures that the player was not sent.
            skip_leading(&p.thin)
            if until_key:
                skip_until_key(&p.thin, log.log)
        # Until the thread takes the player, `group` holds the log and `progress_us` the merge window.
        p.group = log.log
        log_hold(log.log)
        p.progress_us = merge_window_ms * 1000
        add32(&log.log.readers, 1)
        add32(&log.log.moving, 1)
        self.players.add(player)
        # The reference of the threads, which `reap` gives back: the garbage collector does not see their pointers.
        Py_INCREF(player)
        self.load[best] += 1
        pthread_mutex_lock(&t.lock)
        first = t.joining == NULL
        p.next = t.joining
        t.joining = p
        pthread_mutex_unlock(&t.lock)
        if first:
            # The others are taken with the first, whose wake-up is on its way.
            write(t.fd, &one, sizeof(one))
        return player

    def configure(
        self,
        MediaLog log not None,
        *,
        int64_t merge_window_ms,
        int64_t drop_ms,
        int64_t jump_ms,
        int64_t close_ms,
        int64_t pace_percent,
    ):
        """Change the settings of all players of *log*, as in `add`, also of those that are joining.

        No connection is closed and no byte is lost or repeated; sends follow the new settings within one old merge
        window. Raises MemoryError; then only some threads have the change.
        """
        cdef Change change
        cdef PlayerState* p
        cdef Thread* t
        cdef int i, status
        cdef uint64_t one = 1
        if not self.running:
            return
        change.log = log.log
        change.window_us = merge_window_ms * 1000
        change.drop_ms = drop_ms
        change.jump_ms = jump_ms
        change.close_ms = close_ms
        change.pace_percent = pace_percent
        change.next = NULL
        for i in range(self.thread_count):
            t = &self.threads[i]
            pthread_mutex_lock(&t.lock)
            p = t.joining
            while p != NULL:
                # Until the thread takes it: see `add`.
                if p.group == log.log:
                    change_player(p, &change)
                    p.progress_us = change.window_us
                p = p.next
            status = post_change(&t.changes, &change)
            pthread_mutex_unlock(&t.lock)
            if status < 0:
                raise MemoryError
            write(t.fd, &one, sizeof(one))

    def kick(self, SendHandle player not None):
        """Disconnect a player; `reap` returns it."""
        self.ask(player, ASKED_LEAVE)

    def recall(self, SendHandle player not None):
        """Have a player leave at the next end of a tag and a frame, to be added again; `reap` returns it."""
        self.ask(player, ASKED_BACK)

    cdef int ask(self, SendHandle player, uint8_t what) except -1:
        """Post a request, ASKED_*, to the player's thread; a kick is never replaced by a recall."""
        cdef Thread* t = &self.threads[player.thread]
        cdef PlayerState** grown
        cdef uint64_t one = 1
        if player not in self.players or not self.running:
            return 0
        pthread_mutex_lock(&t.lock)
        if load32_acquire(&player.state.closed) or player.state.asked == ASKED_LEAVE:
            pthread_mutex_unlock(&t.lock)
            return 0
        if not player.state.asked_at and t.asked_count == t.asked_room:
            grown = <PlayerState**>realloc(t.asked, (t.asked_room * 2 + 16) * sizeof(PlayerState*))
            if grown == NULL:
                pthread_mutex_unlock(&t.lock)
                raise MemoryError
            t.asked = grown
            t.asked_room = t.asked_room * 2 + 16
        player.state.asked = what
        if not player.state.asked_at:
            t.asked[t.asked_count] = &player.state
            t.asked_count += 1
            player.state.asked_at = t.asked_count
        pthread_mutex_unlock(&t.lock)
        write(t.fd, &one, sizeof(one))
        return 0

    def reap(self):
        """Return the players that left since the last call, oldest first."""
        cdef PlayerState* p
        cdef uint64_t count
        cdef list left = []
        cdef SendHandle player
        if self.crew.fd >= 0:
            read(self.crew.fd, &count, sizeof(count))
        pthread_mutex_lock(&self.crew.lock)
        p = self.crew.left
        self.crew.left = NULL
        pthread_mutex_unlock(&self.crew.lock)
        while p != NULL:
            player = <SendHandle>p.object
            p = p.next
            left.append(player)
            self.players.discard(player)
            Py_DECREF(player)
            self.load[player.thread] -= 1
            leave_log(player)
        left.reverse()
        return left

    def stop(self):
        """Disconnect all players, end the threads, close descriptors. Blocks; `reap` still returns the players."""
        if self.running:
            self.halt()
