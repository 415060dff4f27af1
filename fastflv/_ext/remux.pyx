"""One log made from another, tag by tag, while somebody reads it.

A remux is attached to the log of FLV tags that it follows and writes a log of its own in the same
thread: each tag is formatted once for all players of that container. It starts with what is there
(`begin`: headers, then the newest GOP), so that its first player starts with a picture too.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.atomics cimport load32_relaxed, load_relaxed, store32_release
from fastflv._ext.flvtag cimport NOTES, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_SCRIPT, read_traits, tag_time
from fastflv._ext.medialog cimport Follower, MediaLog
from fastflv._ext.octets cimport load_be24
from fastflv._ext.pthreads cimport pthread_mutex_lock, pthread_mutex_unlock
from fastflv._ext.segment cimport Block, Segment, Tag, block_drop, block_new


cdef bytes newest_key_headers(MediaLog log):
    """Headers that belong before the newest keyframe, published or not; b"" when there is none."""
    cdef Block* block = log.log.key_block
    if log.log.pending_key >= 0:
        block = log.log.pending_block
    elif load_relaxed(&log.log.key_pos) < 0:
        return b""
    return block.bytes[:block.size] if block != NULL else b""


cdef int set_key_headers(MediaLog log, bytes headers) except -1:
    """Give players that start at the newest keyframe other headers, here and in what is made of this log."""
    cdef Follower follower
    cdef Block* old
    cdef Block* block
    cdef bint pending = log.log.pending_key >= 0
    if not pending and load_relaxed(&log.log.key_pos) < 0:
        return 0
    block = block_new(<const uint8_t*><const char*>headers, <uint32_t>len(headers))
    if block == NULL:
        raise MemoryError
    if pending:
        # Who follows takes them with the keyframe.
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
        if isinstance(follower, Remux):
            (<Remux>follower).rekey()
    return 0


cdef class Remux(Follower):
    """Base of what makes one log from another; override `take_tag`, and `end_pass` where tags are gathered."""

    def __init__(self, MediaLog source not None, MediaLog log not None):
        self.source = source
        self.log = log
        self.carries_video = True
        self.at = source.log.written

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        return 0

    cdef int end_pass(self) except -1:
        return 0

    cdef int rekey(self) except -1:
        return 0

    def begin(self, bytes headers not None, int64_t position):
        """Take *headers* (whole FLV tags), then the source from *position* (between two tags) on; follow it."""
        self.take_block(headers, len(headers), self.source.log.head_dts)
        self.at = position
        self.follow(True)
        self.source.attach(self)

    def headers(self, bytes tags not None):
        """Return what a player of this container is sent in place of the headers *tags*, whole FLV tags."""
        return b""

    def stop(self):
        """Follow the source no more; the log stays as it is."""
        self.source.detach(self)

    cdef int take_block(self, const uint8_t* tags, Py_ssize_t size, int64_t near_ms) except -1:
        """Take whole tags, whose times are within 12 days of *near_ms*."""
        cdef Py_ssize_t at = 0
        cdef uint32_t length
        cdef int64_t dts_ms
        cdef uint8_t flags
        cdef const uint8_t* tag
        while at + TAG_FRAME_BYTES <= size:
            tag = tags + at
            length = load_be24(tag + 1)
            if at + TAG_FRAME_BYTES + <Py_ssize_t>length > size:
                break
            dts_ms = tag_time(tag, near_ms)
            flags = read_traits(tag[0], tag + TAG_HEADER_BYTES, length).flags
            if tag[0] == TAG_SCRIPT:
                # Metadata: its own time says nothing.
                dts_ms = self.source.log.written_dts
                flags = NOTES
            self.take_tag(tag[0], flags, dts_ms, tag + TAG_HEADER_BYTES, length)
            at += TAG_FRAME_BYTES + <Py_ssize_t>length
        return 0

    cdef int take_new(self) except -1:
        """Take every tag behind `at`. The writer's thread is this one, so segments cannot change meanwhile."""
        cdef int32_t i = self.source.log.first + self.source.log.count
        cdef int32_t end = i
        cdef int32_t k, count
        cdef Segment* segment
        cdef Tag* tag
        while i > self.source.log.first and self.source.log.segments[i - 1].start + (
            self.source.log.segments[i - 1].used
        ) > self.at:
            i -= 1
        while i < end:
            segment = self.source.log.segments[i]
            count = segment.tag_count
            # The few newest of a segment, nearly always.
            k = count
            while k > 0 and segment.start + segment.tags[k - 1].offset >= self.at:
                k -= 1
            while k < count:
                tag = &segment.tags[k]
                self.at = segment.start + tag.offset + tag.size
                self.take_tag(
                    tag.kind, tag.flags, tag.dts_ms, segment.bytes + tag.offset + TAG_HEADER_BYTES,
                    tag.size - TAG_FRAME_BYTES,
                )
                k += 1
            i += 1
        return 0

    cdef bint is_start(self, uint32_t size) noexcept:
        return self.at - TAG_FRAME_BYTES - <int64_t>size == load_relaxed(&self.source.log.key_pos)

    cdef int follow(self, bint urgent) except -1:
        self.urgent = urgent
        if self.carries_video:
            store32_release(&self.log.log.has_video, load32_relaxed(&self.source.log.has_video))
        self.take_new()
        self.end_pass()
        if self.written:
            self.written = False
            self.log.publish(self.urgent)
        return 0

    cdef int forget_key(self) except -1:
        self.log.forget_key()
        return 0

    cdef int end(self) except -1:
        self.end_pass()
        self.log.end()
        return 0

    cdef int fail(self) except -1:
        self.log.end()
        return 0
