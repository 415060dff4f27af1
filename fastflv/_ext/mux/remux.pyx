"""One log made from another, tag by tag, while it has readers.

A remux follows a log of FLV tags and writes a log of its own in the same thread, so that each tag is formatted once for
all players of that container. It begins with the headers and the newest GOP (`begin`), so that its first player starts
with a picture too.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.core.atomics cimport load32_relaxed, load_relaxed, store32_release
from fastflv._ext.log.epoch cimport move_epoch
from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.log cimport log_begin_epoch
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag
from fastflv._ext.syntax.flvtag cimport (
    NOTES, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_SCRIPT, FlvTag, next_tag, read_traits, tag_time,
)


cdef class Remux(Follower):
    """Base of muxers: override `take_tag`, and `end_pass` where frames are gathered."""

    def __init__(self, MediaLog source not None, MediaLog log not None):
        self.source = source
        self.log = log
        self.carries_video = True
        log.log.epoch_ms = source.log.epoch_ms
        self.at = source.log.written

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        return 0

    cdef int end_pass(self) except -1:
        return 0

    def begin(self, bytes headers not None, int64_t position):
        """Write *headers*, whole FLV tags, then the source from *position* on, and follow it from then on.

        *position* lies between two tags.
        """
        self.take_block(headers, len(headers), self.source.log.head_dts)
        self.at = position
        self.follow(True)
        self.source.attach(self)

    def headers(self, bytes tags not None):
        """Return the form that the headers *tags*, whole FLV tags, have in this container."""
        return b""

    def state(self):
        """Return what another process needs to write the log on, as a dict of plain values; all is published then."""
        return {}

    def resume(self, bytes headers not None, dict state not None):
        """Go on behind the head of the source, where the log was restored; *headers* as in `begin`.

        *state*: as `state` gave it. Raises HandoverError, and what a conversion of a wrong value raises.
        """
        self.at = self.source.log.head
        self.source.attach(self)

    def stop(self):
        """Stop following the source; the log stays as it is."""
        self.source.detach(self)

    cdef int take_block(self, const uint8_t* tags, Py_ssize_t size, int64_t near_ms) except -1:
        """Write a run of whole tags, whose times are within 12 days of *near_ms*."""
        cdef Py_ssize_t at = 0
        cdef int64_t dts_ms
        cdef uint8_t flags
        cdef FlvTag tag
        while next_tag(tags, size, &at, &tag):
            dts_ms = tag_time(tag.timestamp, near_ms - self.source.log.epoch_ms) + self.source.log.epoch_ms
            flags = read_traits(tag.kind, tag.body, tag.size).flags
            if tag.kind == TAG_SCRIPT:
                # Metadata has time 0 in its tag.
                dts_ms = self.source.log.written_dts
                flags = NOTES
            self.take_tag(tag.kind, flags, dts_ms, tag.body, tag.size)
        return 0

    cdef int take_new(self) except -1:
        """Write each tag behind `at`. This is the writer's thread, so the pages cannot change meanwhile."""
        cdef int32_t i = self.source.log.first + self.source.log.count
        cdef int32_t end = i
        cdef int64_t epoch_pos = self.source.log.epoch_pos
        cdef int32_t k, count
        cdef Page* page
        cdef Tag* tag
        while i > self.source.log.first and self.source.log.pages[i - 1].start + (
            self.source.log.pages[i - 1].used
        ) > self.at:
            i -= 1
        while i < end:
            page = self.source.log.pages[i]
            count = page.tag_count
            # From the end: nearly always only the few newest tags of a page are new.
            k = count
            while k > 0 and page.start + page.tags[k - 1].offset >= self.at:
                k -= 1
            while k < count:
                tag = &page.tags[k]
                if self.tells_time and page.start + tag.offset == epoch_pos:
                    log_begin_epoch(self.log.log, self.source.log.epoch_ms)
                self.at = page.start + tag.offset + tag.size
                self.take_tag(
                    tag.kind, tag.flags, tag.dts_ms, page.bytes + tag.offset + TAG_HEADER_BYTES,
                    tag.size - TAG_FRAME_BYTES,
                )
                k += 1
            i += 1
        return 0

    cdef bint is_start(self, uint32_t size) noexcept:
        return self.at - TAG_FRAME_BYTES - <int64_t>size == load_relaxed(&self.source.log.key_pos)

    cdef int follow(self, bint urgent) except -1:
        self.urgent = urgent
        self.log.log.key_wait_ms = self.source.log.key_wait_ms
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

    cdef int set_epoch(self, int64_t epoch_ms) except -1:
        return move_epoch(self.log, epoch_ms) if self.tells_time else 0

    cdef int end(self) except -1:
        self.end_pass()
        self.log.end()
        return 0

    cdef int fail(self) except -1:
        self.log.end()
        return 0
