"""Headers that belong before the newest keyframe of a log."""

from libc.stdint cimport uint8_t, uint32_t

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.core.pthreads cimport pthread_mutex_lock, pthread_mutex_unlock
from fastflv._ext.log.block cimport Block, block_drop, block_new
from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.timeshift cimport timeshift_replace_headers


cdef bytes newest_key_headers(MediaLog log):
    """Return the headers of the newest keyframe, published or not; b"" without a keyframe."""
    cdef Block* block = log.log.key_block
    if log.log.pending_key >= 0:
        block = log.log.pending_block
    elif load_relaxed(&log.log.key_pos) < 0:
        return b""
    return block.bytes[:block.size] if block != NULL else b""


cdef int set_key_headers(MediaLog log, bytes headers) except -1:
    """Replace the headers of the newest keyframe, here and in the logs of the followers."""
    cdef Follower follower
    cdef Block* old
    cdef Block* block
    cdef bint pending = log.log.pending_key >= 0
    if not pending and load_relaxed(&log.log.key_pos) < 0:
        return 0
    block = block_new(<const uint8_t*><const char*>headers, <uint32_t>len(headers))
    if block == NULL:
        raise MemoryError
    if log.log.past != NULL:
        timeshift_replace_headers(log.log.past, block)
    if pending:
        # Followers take the headers with the keyframe, at the next publish.
        old = log.log.pending_block
        log.log.pending_block = block
        block_drop(old)
        return 0
    pthread_mutex_lock(&log.log.lock)
    old = log.log.key_block
    log.log.key_block = block
    pthread_mutex_unlock(&log.log.lock)
    block_drop(old)
    for follower in log.followers:
        follower.rekey()
    return 0
