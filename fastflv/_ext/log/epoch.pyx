"""Epochs: from where on the time that players are told counts.

The index of a log has stream time, which never goes back. The bytes of FLV tags and RTMP messages have stream time less
the epoch of the log. All players of a log share it, so no byte is made for one player.
"""

from libc.stdint cimport int32_t, int64_t

from fastflv._ext.core.atomics cimport load_relaxed
from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.log cimport Log, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag
from fastflv._ext.syntax.flvtag cimport NOTES, TAG_FRAME_BYTES, TAG_SCRIPT, restamp_tags, write_tag_header

from fastflv import limits

cdef int64_t MOVE_MS_MIN = limits.TIME_EPOCH_MOVE_MS


cdef int move_epoch(MediaLog log, int64_t epoch_ms) except -1:
    """Count from *epoch_ms* on from the next tag on, here and in the logs of the followers; readers stay."""
    cdef Follower follower
    log.log.epoch_ms = epoch_ms
    for follower in log.followers:
        follower.set_epoch(epoch_ms)
    return 0


cdef int restamp_log(MediaLog log) except -1:
    """Have a log of FLV tags count from its newest keyframe on, or from its head without one.

    The tags from there on are stamped anew, so nobody may read them meanwhile. An epoch that would move by less than
    TIME_EPOCH_MOVE_MS stays.
    """
    cdef Log* c = log.log
    cdef int64_t key = load_relaxed(&c.key_pos)
    cdef int64_t begin = key if key >= 0 else load_relaxed(&c.head)
    cdef int64_t epoch = c.written_dts
    cdef int64_t position
    cdef int32_t i, k
    cdef int turn
    cdef Page* page
    cdef Tag* tag
    for turn in range(2):
        # First the oldest time, since sound may be older than the keyframe before it; then the stamps.
        if turn == 1:
            # A player that waited for the first picture is told the publisher's own times.
            if epoch - c.epoch_ms < MOVE_MS_MIN:
                return 0
            move_epoch(log, epoch)
        for i in range(c.first, c.first + c.count):
            page = c.pages[i]
            if page.start + page.used <= begin:
                continue
            for k in range(page.tag_count):
                tag = &page.tags[k]
                position = page.start + tag.offset
                if position < begin:
                    continue
                if turn == 0:
                    epoch = min(epoch, tag.dts_ms)
                    continue
                if tag.kind != TAG_SCRIPT or not tag.flags & NOTES:
                    write_tag_header(
                        page.bytes + tag.offset, tag.kind, tag.size - TAG_FRAME_BYTES, told_ms(c, tag.dts_ms)
                    )
                if position == key and c.key_block != NULL:
                    restamp_tags(c.key_block.bytes, c.key_block.size, told_ms(c, tag.dts_ms))
                if position == c.pending_key and c.pending_block != NULL:
                    restamp_tags(c.pending_block.bytes, c.pending_block.size, told_ms(c, tag.dts_ms))
    log.shared = None
    return 0
