"""One player: a position in a log, a socket, and the state of the frame that is being sent.

Threads: after `Sender.add` a PlayerState belongs to one sender thread. Exceptions: the event loop may read the counters
(relaxed); `asked` and its place are guarded by the thread's lock; `closed` hands the player back (release by the
thread, acquire by the event loop).
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
    LEFT_OPEN = 0              # it did not
    LEFT_PEER = 1              # the peer closed or reset the connection
    LEFT_ENDED = 2             # the stream ended
    LEFT_STALLED = 3           # took no byte for too long
    LEFT_KICKED = 4            # Sender.kick
    LEFT_SHUTDOWN = 5          # the server stops
    LEFT_MEMORY = 6
    LEFT_RECALLED = 7          # Sender.recall: between two tags and two frames
    LEFT_SLOW = 8              # its lag exceeded close_ms
    LEFT_EPOCH = 9             # the time that it was told is used up

cdef enum:                     # outcome of player_send
    SEND_DONE = 0              # nothing left to send now
    SEND_BLOCKED = 1           # the socket is full
    SEND_FAILED = 2            # the connection is gone
    SEND_RECALLED = 3          # the player was recalled, and no tag and no frame is half sent

cdef enum:
    ASKED_LEAVE = 1
    ASKED_BACK = 2

cdef enum:
    PARTS_MAX = 24             # iovec entries of one send
    FRAMES_MAX = 8             # new frames in it: a header, a part of the log and a tail each


cdef struct PlayerState:
    int fd                     # owned socket
    uint8_t framing
    uint8_t waiting            # 1: sends nothing of the log until a keyframe at or behind `wait_pos`
    uint8_t blocked            # 1: the socket was full; EPOLLOUT tells when it is not
    uint8_t leaving            # LEFT_*; 0 while it stays
    uint8_t recalled           # 1: stops at the end of the next tag
    uint8_t asked              # request of the event loop, ASKED_*; guarded by the thread's lock
    int32_t asked_at           # its place in the thread's `asked`, from 1; 0: none. Guarded as `asked`
    uint8_t whole              # set on release; 1: no tag and no frame was half sent
    uint8_t finished           # 1: the end of the response was sent, or is in `mark`
    int64_t pos                # log position of the next byte
    int64_t wait_pos
    int64_t epoch_pos          # log position where the epoch begins that it was told times of
    int64_t cut                # position at which a lagging player leaves the tag it is in; -1: none
    Thinning thin
    int64_t jump_ms            # lag beyond which it jumps to a keyframe; change.pyx may change it and the next two
    int64_t close_ms           # lag beyond which it is disconnected
    int64_t pace_percent       # bound of the kernel's rate, percent of the stream's rate; 0: no bound
    int64_t paced              # bound that the kernel has now, bytes a second; 0: none
    int64_t credit_ms          # age of the start until it is sent, which is no lag; -1: not measured yet
    Mark unacknowledged        # for the age of the media that the kernel holds
    Block* preamble            # referenced; sent first, without framing
    uint32_t preamble_at
    Block* block               # referenced; sent next, framed, before the log
    uint32_t block_at
    Page* pin                  # referenced while blocked: the page of the tag that is half sent
    int64_t frame_left         # bytes of content that the open frame still announces
    uint8_t mark[FRAME_HEADER_MAX]   # framing bytes that did not fit into the socket
    uint8_t mark_at
    uint8_t mark_size
    uint8_t pictured           # 1: the start has a keyframe, in its block or right behind it
    int64_t first_us           # relaxed: clock when the socket had taken a first byte; 0: not yet
    int64_t key_us             # relaxed: likewise a first keyframe; -1: nobody knows
    int64_t progress_us        # clock of the last byte the socket took, while blocked
    int64_t sent               # counters, relaxed: bytes the socket took
    int64_t sends              # system calls that sent bytes
    int64_t jumps              # how often lag moved it on to a keyframe
    int64_t lag_ms             # when last measured; 0 while it keeps up
    int32_t closed             # atomic; 1: the sender thread is done with it
    int32_t index              # in its slot's list
    void* group                # borrowed Group; the Log while the player waits in the inbox
    int slot
    PlayerState* next          # inbox and exit lists
    void* object               # the SendHandle around this state; the Sender holds a reference until it is reaped


cdef struct Burst:
    # One prepared send from `pos` to `head`, for all players that have nothing else to send first.
    int64_t pos
    int64_t head
    uint8_t framing
    int count
    int64_t total
    int64_t content
    iovec parts[PARTS_MAX]
    uint8_t kind[PARTS_MAX]    # PART_*
    uint8_t headers[FRAMES_MAX][FRAME_HEADER_MAX]


cdef int player_send(PlayerState* p, Log* log, const View* view, int64_t head, Burst* burst) noexcept nogil
cdef bint player_finish(PlayerState* p) noexcept nogil
cdef bint player_is_whole(const PlayerState* p, const View* view) noexcept nogil
cdef void player_release(PlayerState* p) noexcept nogil
