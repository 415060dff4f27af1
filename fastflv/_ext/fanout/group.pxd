"""The players of one log in one thread. See group.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.fanout.player cimport Burst, PlayerState
from fastflv._ext.log.floor cimport Floor
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.view cimport View
from fastflv._ext.log.waker cimport Waker


cdef enum:                     # parts of a pass, which serves each player of a slot once
    PASS_FIRST = 0             # from `start` to `settled`
    PASS_WRAPPED = 1           # from 0 to `start`
    PASS_NEW = 2               # from `settled` to `last`: players that have just got a start


cdef struct Slot:
    PlayerState** players      # owned array of borrowed pointers: those that have settled, then new ones
    int32_t settled            # the players before it were first sent something `settle_us` ago
    int32_t count
    int32_t room
    uint8_t asked              # 1: a pass is to begin with the next round
    uint8_t passing            # 1: a pass goes on
    uint8_t part               # PASS_*
    int32_t start              # of the pass, among those that have settled
    int32_t at                 # the next player
    int32_t last               # PASS_NEW: end of those that it serves; who joins behind it has its start
    int64_t seen               # head when the pass began
    int64_t served             # head up to which its players were served, but for those that are blocked


cdef struct Group:
    # Belongs to one thread, but for `waker` and `floor`, which the log's writer reads.
    Waker waker
    Floor floor
    int32_t blocked            # players whose socket is full: the floor rises no more by what others are served
    Log* log                   # referenced
    View view                  # pins the pages of the log
    Burst burst
    Slot* slots                # owned array: the steps of the merge window
    int32_t slot_count
    int32_t count              # players in all slots
    int32_t next_slot          # where the next player goes
    uint32_t turn              # of passes: chooses the player that is served first
    int32_t asked              # slots whose pass begins with the next round
    int32_t passing            # slots with a pass that goes on
    bint cut                   # the round has begun anew before its new players were served
    int64_t settle_us          # players that were sent their first byte less than this ago are new; constant
    bint open                  # the merge window follows the load of the thread
    int64_t window_us          # merge window; 0: a send per video frame
    int64_t slot_us            # length of a slot
    int64_t due_us             # clock of the next look at the log, -1: none
    int64_t seen               # head at the last look
    int64_t served             # head up to which the passes serve all players; a join moves `seen` alone
    int64_t new_us             # clock of the last look that found something new
    Group* next


cdef bint look(Group* g, int64_t now) noexcept nogil
cdef int64_t flush_us(Group* g) noexcept nogil
cdef int64_t next_due(Group* g, int64_t now) noexcept nogil
cdef void go_idle(Group* g) noexcept nogil
cdef void keep_floor(Group* g, int64_t pos) noexcept nogil
cdef void raise_floor(Group* g, int64_t most) noexcept nogil
cdef void set_window(Group* g, int64_t window_us, int64_t now) noexcept nogil
cdef void change_window(Group* g, int64_t window_us, bint is_open, int64_t now) noexcept nogil
cdef Group* find_group(Group* groups, Log* log) noexcept nogil
cdef Group* add_group(
    Group** groups, Log* log, int fd, int64_t window_us, bint is_open, int64_t settle_us
) noexcept nogil
cdef void remove_group(Group** groups, Group* g) noexcept nogil
cdef int join_group(Group* g, PlayerState* p) noexcept nogil
cdef Group* leave_group(PlayerState* p) noexcept nogil
