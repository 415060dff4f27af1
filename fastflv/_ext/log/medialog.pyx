"""A stream as a log of ready-to-send bytes, for Python and for muxers."""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.core.atomics cimport add32, load32_relaxed, load_relaxed, store32_release
from fastflv._ext.log.block cimport block_new
from fastflv._ext.log.follower cimport Follower
from fastflv._ext.log.log cimport (
    log_commit, log_drop, log_end, log_forget_key, log_forget_rate, log_mark_key, log_new, log_publish, log_reserve,
    log_trim, told_ms,
)
from fastflv._ext.log.page cimport Page, page_tag_at
from fastflv._ext.syntax.flvtag cimport COMMAND, CONFIG, KEY, TAG_FRAME_BYTES, TAG_VIDEO, read_traits, write_tag

import logging

from fastflv import limits
from fastflv.errors import UsageError

logger = logging.getLogger(__name__)


@cython.final
cdef class MediaLog:
    """The log of one stream in one container. Belongs to the event loop; sender threads read its C core.

    *history_ms* and *history_bytes* bound the history kept for readers, from where the slowest of them reads;
    *keep_ms*, within *history_bytes*, is kept whoever reads. With *keep_gop* the newest GOP is kept in any case, unless
    it exceeds *key_bytes_max* bytes or *key_tags_max* video tags (0: no bound).
    """

    def __cinit__(
        self,
        *,
        int64_t history_ms=limits.HISTORY_MS,
        int64_t history_bytes=limits.HISTORY_BYTES,
        int64_t keep_ms=0,
        bint keep_gop=True,
        int64_t key_bytes_max=limits.GOP_BYTES_MAX,
        int32_t key_tags_max=limits.GOP_FRAMES_MAX,
    ):
        self.log = log_new()
        if self.log == NULL:
            raise MemoryError
        self.log.history_ms = history_ms
        self.log.history_bytes = history_bytes
        self.log.keep_ms = keep_ms
        self.followers = ()
        self.log.keep_gop = keep_gop
        self.log.key_bytes_max = key_bytes_max
        self.log.key_tags_max = key_tags_max

    def __dealloc__(self):
        if self.log != NULL:
            log_drop(self.log)

    @property
    def head(self):
        """Position behind the newest published byte."""
        return load_relaxed(&self.log.head)

    @property
    def head_dts(self):
        """Time of the newest published tag, ms."""
        return load_relaxed(&self.log.head_dts)

    @property
    def epoch_ms(self):
        """Stream time that the players of this log are told as 0, ms."""
        return self.log.epoch_ms

    @property
    def tail(self):
        """Position of the oldest byte kept."""
        return self.log.pages[self.log.first].start if self.log.count else self.log.written

    @property
    def key_pos(self):
        """Position of the newest keyframe that a player may start from, -1 when there is none."""
        return load_relaxed(&self.log.key_pos)

    @property
    def key_dts(self):
        """Time of the keyframe at `key_pos`, ms; -1 when there is none."""
        cdef int64_t key = self.log.key_pos
        cdef Page* page
        cdef int32_t i
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            if page.start <= key < page.start + page.used:
                return page.tags[page_tag_at(page, key)].dts_ms
        return -1

    @property
    def kept_bytes(self):
        """Memory of the pages in the list, bytes. Read by tests of the bounds."""
        return self.log.kept_bytes

    # Bounds: for the writer's thread. A new value counts from the next commit, publish or trim on.

    @property
    def history_ms(self):
        """History kept for readers that lag, ms."""
        return self.log.history_ms

    @history_ms.setter
    def history_ms(self, int64_t value):
        self.log.history_ms = value

    @property
    def history_bytes(self):
        """Bound of the history, bytes of pages."""
        return self.log.history_bytes

    @history_bytes.setter
    def history_bytes(self, int64_t value):
        self.log.history_bytes = value

    @property
    def keep_ms(self):
        """History kept whoever reads, ms."""
        return self.log.keep_ms

    @keep_ms.setter
    def keep_ms(self, int64_t value):
        self.log.keep_ms = value

    @property
    def key_bytes_max(self):
        """A longer GOP is not offered as a start, bytes; 0: no bound."""
        return self.log.key_bytes_max

    @key_bytes_max.setter
    def key_bytes_max(self, int64_t value):
        self.log.key_bytes_max = value

    @property
    def key_tags_max(self):
        """Likewise, video tags."""
        return self.log.key_tags_max

    @key_tags_max.setter
    def key_tags_max(self, int32_t value):
        self.log.key_tags_max = value

    @property
    def keep_gop(self):
        """The newest GOP is kept, whatever the bounds of the history."""
        return bool(self.log.keep_gop)

    @keep_gop.setter
    def keep_gop(self, bint value):
        self.log.keep_gop = value

    @property
    def readers(self):
        """Cursors and players that read this log."""
        return load32_relaxed(&self.log.readers)

    @property
    def moving(self):
        """Players on their way to a sender thread or back, and who `hold` it."""
        return load32_relaxed(&self.log.moving)

    def hold(self):
        """Keep the history: somebody is going to read it in a moment. Undone by `let_go`."""
        add32(&self.log.moving, 1)

    def let_go(self):
        """Undo `hold`."""
        add32(&self.log.moving, -1)

    @property
    def ended(self):
        """No more bytes will come."""
        return bool(load32_relaxed(&self.log.ended))

    @property
    def key_headers(self):
        """Headers that belong before the tag at `key_pos`, b"" when there is no such tag."""
        if self.log.key_block == NULL or load_relaxed(&self.log.key_pos) < 0:
            return b""
        return self.log.key_block.bytes[:self.log.key_block.size]

    def append(self, uint8_t kind, int64_t dts_ms, body):
        """Write one FLV tag and publish it; a video keyframe becomes a start for players. Called by tests alone."""
        cdef Py_buffer view
        cdef uint8_t* out
        cdef uint8_t flags
        cdef int64_t at
        if load32_relaxed(&self.log.ended):
            raise UsageError("append to a log that has ended")
        PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
        try:
            if view.len > 0xFFFFFF:
                raise ValueError("FLV tag body longer than 16777215 bytes")
            out = log_reserve(self.log, <uint32_t>view.len + TAG_FRAME_BYTES)
            if out == NULL:
                raise MemoryError
            flags = read_traits(kind, <const uint8_t*>view.buf, view.len).flags
            at = self.log.written
            write_tag(out, kind, <const uint8_t*>view.buf, <uint32_t>view.len, told_ms(self.log, dts_ms))
            log_commit(self.log, <uint32_t>view.len + TAG_FRAME_BYTES, dts_ms, kind, flags)
            if kind == TAG_VIDEO:
                store32_release(&self.log.has_video, 1)
                if flags & KEY and not flags & (CONFIG | COMMAND):
                    log_mark_key(self.log, at, block_new(NULL, 0))
        finally:
            PyBuffer_Release(&view)
        self.publish(kind == TAG_VIDEO)

    cdef int publish(self, bint urgent) except -1:
        """Publish all committed tags to readers, then to the followers."""
        cdef Follower follower
        log_publish(self.log, urgent)
        for follower in self.followers:
            try:
                follower.follow(urgent)
            except Exception:
                # The publisher and the other followers go on.
                logger.exception("a muxer failed; its players are disconnected")
                self.detach(follower)
                follower.fail()
        return 0

    def attach(self, Follower follower not None):
        """Have *follower* take each publish from now on."""
        self.followers += (follower,)

    def detach(self, Follower follower not None):
        """Remove *follower*; without effect when it is not attached."""
        self.followers = tuple([other for other in self.followers if other is not follower])

    @property
    def followed(self):
        """Followers attached."""
        return len(self.followers)

    def forget_key(self):
        """Withdraw the start until the next keyframe, here and in the logs of the followers."""
        cdef Follower follower
        log_forget_key(self.log)
        log_forget_rate(self.log)
        for follower in self.followers:
            follower.forget_key()

    def trim(self):
        """Free at once what no reader and no start needs, as the next page would."""
        log_trim(self.log)

    def end(self):
        """End the log and those of its followers: readers are sent the rest, then their responses end."""
        cdef Follower follower
        log_end(self.log)
        for follower in self.followers:
            follower.end()

    def read(self, int64_t start, int64_t stop):
        """Return the bytes of [start, stop), which must lie between `tail` and `head`."""
        cdef list parts = []
        cdef int32_t i
        cdef Page* page
        cdef int64_t a, b
        if start < self.tail or stop > load_relaxed(&self.log.head) or stop < start:
            raise UsageError(f"range {start}..{stop} is not in the log")
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            a = max(start, page.start)
            b = min(stop, page.start + page.used)
            if a < b:
                parts.append(page.bytes[a - page.start:b - page.start])
        return b"".join(parts)

    def position_at(self, int64_t dts_ms):
        """Return the position of the oldest tag kept that is not before *dts_ms*; `head` without one."""
        cdef int32_t i, k
        cdef Page* page
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            for k in range(page.tag_count):
                if page.tags[k].dts_ms >= dts_ms:
                    return min(page.start + page.tags[k].offset, load_relaxed(&self.log.head))
        return load_relaxed(&self.log.head)

    def tags(self):
        """Return `(position, size, dts_ms, kind, flags)` of every tag kept, oldest first."""
        cdef list rows = []
        cdef int32_t i, k
        cdef Page* page
        for i in range(self.log.first, self.log.first + self.log.count):
            page = self.log.pages[i]
            for k in range(page.tag_count):
                tag = &page.tags[k]
                rows.append((page.start + tag.offset, tag.size, tag.dts_ms, tag.kind, tag.flags))
        return rows
