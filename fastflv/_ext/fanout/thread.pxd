"""What sender threads own. See fanout.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from fastflv._ext.core.pthreads cimport pthread_mutex_t, pthread_t
from fastflv._ext.fanout.change cimport Change
from fastflv._ext.fanout.group cimport Group
from fastflv._ext.fanout.loadwindow cimport Load
from fastflv._ext.fanout.player cimport PlayerState


cdef struct Crew:
    # What the threads of one Sender share. `lock` guards `left`.
    pthread_mutex_t lock
    PlayerState* left          # players to be reaped by the event loop
    int fd                     # eventfd: readable while `left` is not empty
    int64_t stall_us           # a full socket that takes nothing for this long is closed; constant
    int64_t drain_us           # likewise once its stream has ended; constant


cdef struct Thread:
    pthread_t id
    int epfd
    int fd                     # eventfd: inbox or logs have something
    Crew* crew
    pthread_mutex_t lock       # guards `joining`, `changes` and `asked`
    PlayerState* joining       # newest first
    Change* changes            # owned list, at most one for each log
    PlayerState** asked        # owned array: players whose `asked` says what the event loop wants of them
    int32_t asked_count
    int32_t asked_room
    int32_t stop
    Group* groups
    Load load                  # how busy this thread is: the merge window of groups that leave it open
    int32_t blocked            # players with a full socket
    int64_t check_us           # clock of the next look at them
    int64_t wakeups            # counters, relaxed
    int64_t players
    PlayerState** gone         # owned array: to be let go at the end of this turn
    int32_t gone_count
    int32_t gone_room


cdef void* run_thread(void* arg) noexcept nogil
