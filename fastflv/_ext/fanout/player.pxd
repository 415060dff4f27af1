"""One player: a position in a log, a socket, and the framing of what is on its way.

Threads: after `Sender.add` everything here belongs to one sender thread, but for the counters, which
the event loop may read (relaxed), and `closed`, which hands the player back (release/acquire).
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.core.sockets cimport iovec
from fastflv._ext.fanout.framing cimport FRAME_HEADER_MAX
from fastflv._ext.fanout.lag cimport Mark, Thinning
from fastflv._ext.log.block cimport Block
from fastflv._ext.log.log cimport Log
from fastflv._ext.log.page cimport Page
from fastflv._ext.log.view cimport View

cdef enum:                     # why a player left
    LEFT_OPEN = 0
    LEFT_PEER = 1              # the peer closed or reset the connection
    LEFT_ENDED = 2             # the stream ended
    LEFT_STALLED = 3           # took no byte for too long
    LEFT_KICKED = 4            # asked by the operator
    LEFT_SHUTDOWN = 5          # the server stops
    LEFT_MEMORY = 6
    LEFT_RECALLED = 7          # asked back by the event loop: between two tags, and not in a frame
    LEFT_SLOW = 8              # what it has not got is too old

cdef enum:                     # outcome of player_send
    SEND_DONE = 0              # nothing left to send now
    SEND_BLOCKED = 1           # the socket is full
    SEND_FAILED = 2            # the connection is gone
    SEND_RECALLED = 3          # nothing is half sent, and the player was asked back

cdef enum:
    ASKED_LEAVE = 1
    ASKED_BACK = 2

cdef enum:
    PARTS_MAX = 24             # iovec entries of one send


cdef struct PlayerState:
    int fd                     # owned socket
    uint8_t framing
    uint8_t waiting            # 1: sends nothing of the log until a keyframe at or behind `wait_pos`
    uint8_t blocked            # 1: the socket was full; EPOLLOUT tells when it is not
    uint8_t leaving            # LEFT_*: to be let go; 0 while it stays
    uint8_t recalled           # 1: stops at the next tag's end
    uint8_t asked              # what the event loop asks: ASKED_*; guarded by the thread's lock
    uint8_t whole              # set when it is let go: 1: no tag and no frame was half sent
    uint8_t finished           # 1: the end of the response was sent, or is in `mark`
    int64_t pos                # log position of the next byte
    int64_t wait_pos
    int64_t cut                # position at which a lagging player leaves the tag it is in; -1: none
    Thinning thin
    int64_t jump_ms            # lag beyond which it jumps to a keyframe; change.pyx may change it and the next two
    int64_t close_ms           # lag beyond which it is disconnected
    int64_t pace_percent       # of the stream's rate that the kernel sends at most, once the start is out; 0: no bound
    int64_t paced              # the bound that it was told, bytes a second, 0: none yet
    int64_t credit_ms          # age of what it began with, until it has caught up: that is no lag; -1: not told yet
    Mark unacknowledged        # tells how old that is which the kernel holds
    Block* preamble            # referenced; sent first, without framing
    uint32_t preamble_at
    Block* block               # referenced; sent next, framed, before the log
    uint32_t block_at
    Page* pin               # referenced while blocked: holds the rest of the tag that is on its way
    int64_t frame_left         # bytes of content still owed to the open frame
    uint8_t mark[FRAME_HEADER_MAX]   # framing bytes that did not fit into the socket
    uint8_t mark_at
    uint8_t mark_size
    int64_t progress_us        # clock of the last byte the socket took, while blocked
    int64_t sent               # counters, relaxed: bytes the socket took
    int64_t sends              # system calls that sent something
    int64_t jumps              # times it was moved on to a keyframe
    int64_t lag_ms             # at the last look, while it lags; 0 while it keeps up
    int32_t closed             # atomic; 1: the sender thread is done with it
    int32_t index              # in its slot's list
    void* group
    int slot
    PlayerState* next          # inbox and exit lists
    void* object               # the Player around this; the Sender keeps it alive until it is reaped


cdef struct Burst:
    # One prepared send from `pos` to `head` for players that have no rest of their own.
    int64_t pos
    int64_t head
    uint8_t framing
    int count
    int64_t total
    int64_t content
    iovec parts[PARTS_MAX]
    uint8_t header[FRAME_HEADER_MAX]


cdef int player_send(PlayerState* p, Log* log, const View* view, int64_t head, Burst* burst) noexcept nogil
cdef bint player_finish(PlayerState* p) noexcept nogil
cdef bint player_is_whole(const PlayerState* p, const View* view) noexcept nogil
cdef void player_release(PlayerState* p) noexcept nogil
