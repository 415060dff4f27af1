"""The players of one log in one thread. See group.pyx."""

from libc.stdint cimport int32_t, int64_t, uint8_t

from fastflv._ext.fanout.player cimport Burst, PlayerState
from fastflv._ext.log.floor cimport Floor
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.view cimport View
from fastflv._ext.log.waker cimport Waker


cdef struct Slot:
    PlayerState** players      # owned array of borrowed pointers
    int32_t count
    int32_t room
    # A pass serves each player once, from `start` to the end and then from 0 to `start`.
    uint8_t passes             # 0: none, 1: one goes on, 2: another follows it
    uint8_t wrapped            # the pass goes on from 0
    int32_t start
    int32_t at                 # the next player
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
    int32_t turn               # rotates the player that is served first
    int32_t passing            # slots with a pass that goes on
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
cdef void begin_pass(Group* g, Slot* slot) noexcept nogil
cdef void begin_passes(Group* g) noexcept nogil
cdef PlayerState* next_player(Group* g) noexcept nogil
cdef Group* find_group(Group* groups, Log* log) noexcept nogil
cdef Group* add_group(Group** groups, Log* log, int fd, int64_t window_us, bint is_open) noexcept nogil
cdef void remove_group(Group** groups, Group* g) noexcept nogil
cdef int join_group(Group* g, PlayerState* p) noexcept nogil
cdef Group* leave_group(PlayerState* p) noexcept nogil
