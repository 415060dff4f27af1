"""State of sender threads. See thread.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from fastflv._ext.core.pthreads cimport pthread_mutex_t, pthread_t
from fastflv._ext.fanout.change cimport Change
from fastflv._ext.fanout.group cimport Group
from fastflv._ext.fanout.loadwindow cimport Load
from fastflv._ext.fanout.player cimport PlayerState


cdef enum:                     # values of Thread.stop
    STOP_END = 1               # disconnect all players
    STOP_PAUSE = 2             # leave them as they are: another thread goes on with them


cdef struct Crew:
    # Shared by the threads of one Sender. `lock` guards `left`.
    pthread_mutex_t lock
    PlayerState* left          # borrowed: players that `Sender.reap` returns next, newest first
    int fd                     # eventfd: readable while `left` is not empty
    int64_t stall_us           # a blocked socket that takes no byte for this long is closed; constant
    int64_t drain_us           # likewise once the log has ended; constant
    int64_t settle_us          # a player is new for so long; constant


cdef struct Thread:
    pthread_t id
    int epfd
    int fd                     # eventfd: the inbox or a log has something new
    Crew* crew
    pthread_mutex_t lock       # guards `joining`, `changes` and `asked`
    PlayerState* joining       # borrowed; newest first
    Change* changes            # owned list, at most one for each log
    PlayerState** asked        # owned array of borrowed pointers: players with a request, NULL for one that left
    int32_t asked_count
    int32_t asked_room
    int32_t stop               # atomic, STOP_*; release by the event loop, acquire by the thread
    Group* groups              # owned list
    Load load                  # chooses the merge window of groups whose window is open
    int32_t blocked            # players with a full socket
    int64_t check_us           # clock of the next check of their lag and progress, while there are any
    uint8_t passing            # 1: players wait for the next turn in a pass of their group
    uint8_t excused            # 1: the last check came late, and was put off by as much
    int64_t wakeups            # counters; relaxed, the event loop reads them
    int64_t players
    PlayerState** gone         # owned array of borrowed pointers: players to release, in this turn or a later one
    int32_t gone_at            # the next of them
    int32_t gone_count
    int32_t gone_room
    int64_t released_us        # clock of the last release


cdef void* run_thread(void* arg) noexcept nogil
