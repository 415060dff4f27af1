"""What sender threads own. See fanout.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from fastflv._ext.medialog cimport Log, Waker
from fastflv._ext.player cimport Burst, PlayerState
from fastflv._ext.pthreads cimport pthread_mutex_t, pthread_t
from fastflv._ext.segment cimport View


cdef struct Slot:
    PlayerState** players      # owned array of borrowed pointers
    int32_t count
    int32_t room


cdef struct Group:
    # The players of one log in one thread; belongs to that thread, but for `waker`.
    Waker waker                # what the log's writer sees
    Log* log                   # referenced
    View view
    Burst burst
    Slot* slots                # owned array: the steps of the merge window
    int32_t slot_count
    int32_t count              # players in all slots
    int32_t next_slot          # where the next player goes
    int32_t turn               # rotates who is served first
    int64_t window_us          # 0: a send per video frame
    int64_t slot_us            # length of a slot
    int64_t due_us             # clock of the next look at the log, -1: none
    int64_t seen               # head at the last look
    int64_t served             # head up to which everybody was served; a join and a full socket look without serving
    int64_t new_us             # clock of the last look that found something new
    Group* next


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
    pthread_mutex_t lock       # guards `joining`, `asked` and `stop`
    PlayerState* joining
    PlayerState** asked        # owned array: players whose `asked` says what the event loop wants of them
    int32_t asked_count
    int32_t asked_room
    int32_t stop
    Group* groups
    int32_t blocked            # players with a full socket
    int64_t check_us           # clock of the next look at them
    int64_t wakeups            # counters, relaxed
    int64_t players
    PlayerState** gone         # owned array: to be let go at the end of this turn
    int32_t gone_count
    int32_t gone_room


cdef void* run_thread(void* arg) noexcept nogil
