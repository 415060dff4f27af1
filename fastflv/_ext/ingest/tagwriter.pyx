"""Tags of one publisher after the other in a log.

A tag is stamped and copied once, from the bytes that the peer sent into the log. Metadata and sequence headers are kept
(headers.pyx), and stand before each keyframe that is a start for players.

Spec: Adobe FLV v10.1, E.4.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.ingest.headers cimport HeaderStore, merge_headers
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.ingest.timeline cimport JITTER_FULL, timeline_peek, timeline_set_mode, timeline_shift
from fastflv._ext.log.block cimport Block, block_drop
from fastflv._ext.log.epoch cimport move_epoch, restamp_log
from fastflv._ext.log.keyheaders cimport newest_key_headers, set_key_headers
from fastflv._ext.log.log cimport log_begin_epoch, log_commit, log_mark_key, log_reserve, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.timeshift cimport timeshift_give_headers, timeshift_mark
from fastflv._ext.syntax.flvtag cimport (
    KEY, NOTES, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_SCRIPT, TAG_VIDEO, write_tag,
)

from fastflv import limits

cdef int SNAPSHOTS_MAX = limits.KEY_HEADERS_MAX
cdef int64_t SPREAD_MS = limits.TIME_TRACK_SPREAD_MS

cdef enum:                     # frame types in the first byte of a video body
    KEY_FRAME = 0x10
    GENERATED_KEY_FRAME = 0x40


cdef class TagWriter(MediaSink):
    """Base of what feeds a log of FLV tags. Players see new tags after the next `publish`. Belongs to the event loop.

    *jitter*: 0 full, 1 zero, 2 off (timeline.pxd).
    """

    def __cinit__(self, MediaLog log not None, *, int jitter=0, **rest):
        self.log = log
        self.headers = HeaderStore()
        self.hidden[0] = self.hidden[1] = True
        self.timeline.mode = jitter
        self.key_ms = -1

    def shift(self, int64_t offset_ms):
        """Go on with the same media from another connection: its timestamps plus *offset_ms* are times of the stream.

        *offset_ms*: modulo 2**32. What players have is the caller's to leave out.
        """
        timeline_shift(&self.timeline, offset_ms)

    @property
    def dts_ms(self):
        """Greatest timestamp written, ms."""
        return self.timeline.out

    @property
    def repairs(self):
        """Clock jumps removed from the timeline since creation."""
        return self.timeline.repairs

    @property
    def jitter(self):
        """Timestamp repair: 0 full, 1 zero, 2 off. May be set while a publisher sends."""
        return self.timeline.mode

    @jitter.setter
    def jitter(self, int mode):
        timeline_set_mode(&self.timeline, mode)
        if mode != JITTER_FULL:
            move_epoch(self.log, 0)

    def rebase(self):
        """Tell players times from near 0 on again, if they are repaired. For a moment when nobody is told any."""
        if self.timeline.mode == JITTER_FULL:
            restamp_log(self.log)

    # --- headers --------------------------------------------------------------------------------

    def config(self, uint8_t kind):
        """Return the body of the sequence header of the default track of *kind* (8 or 9), or None."""
        return self.headers.config(kind)

    def header_tags(self, int64_t dts_ms):
        """Return metadata and sequence headers as FLV tags stamped with the stream time *dts_ms*, the metadata 0."""
        cdef Block* block = self.headers.as_block(told_ms(self.log.log, dts_ms), self.hidden)
        try:
            return block.bytes[:block.size]
        finally:
            block_drop(block)

    def headers_since(self, bytes then not None, int64_t dts_ms):
        """Return the headers for whoever starts at *dts_ms*, where *then* counted; they match the tracks of now.

        Those of a track that came later are added, those of a lost track removed.
        """
        return merge_headers(then, self.header_tags(dts_ms))

    def set_metadata(self, bytes body not None, uint32_t timestamp):
        """Write an onMetaData tag and keep it for players that join."""
        self.keep_headers()
        self.headers.metadata = body
        self.write(TAG_SCRIPT, timeline_peek(&self.timeline, 0, timestamp), NOTES, body, <uint32_t>len(body))
        self.urgent = True

    def replace_metadata(self, bytes body not None, *, bint shown):
        """Keep an onMetaData tag, also for players that start at the newest keyframe; *shown*: write it to the log.

        The headers before that keyframe then match the tracks of now (`headers_since`).
        """
        self.give_headers()
        self.headers.metadata = body
        if shown:
            self.write(TAG_SCRIPT, self.timeline.out, NOTES, body, <uint32_t>len(body))
            self.urgent = True
        self.update_key_headers()

    # --- keyframes as starts --------------------------------------------------------------------

    def forget_key(self):
        """End a publisher's media: no player starts from its last GOP."""
        self.key_bare = False
        self.log.forget_key()

    cdef int mark_key(self, int64_t position, int64_t dts_ms) except -1:
        """Offer the keyframe at *position* as a start, from the next flush on."""
        # Of the keyframes of one read only the last needs headers: a block for each would let a publisher of tiny
        # keyframes allocate 2 KB per byte sent.
        log_mark_key(self.log.log, position, NULL)
        self.key_ms = dts_ms
        self.mark_place(position, dts_ms)
        return 0

    cdef void mark_place(self, int64_t position, int64_t dts_ms) noexcept:
        """Have players of the past start at *position*, where the log keeps one."""
        self.key_bare = True
        if self.log.log.past != NULL:
            timeshift_mark(self.log.log.past, position, dts_ms, not self.hidden[0], not self.hidden[1])

    cdef int keep_headers(self) except -1:
        """The headers are about to change: the pending keyframe keeps those of now, unless they change all the time."""
        if self.key_bare and self.snapshots < SNAPSHOTS_MAX:
            self.snapshots += 1
            self.give_headers()
        return 0

    cdef int give_headers(self) except -1:
        """Put the headers of now before the pending keyframe, unless it has some."""
        cdef Block* block
        if not self.key_bare:
            return 0
        self.key_bare = False
        block = self.headers.as_block(told_ms(self.log.log, self.key_ms), self.hidden)
        if self.log.log.past != NULL:
            timeshift_give_headers(self.log.log.past, block, self.log.log.written_dts)
        if self.log.log.pending_key >= 0:
            block_drop(self.log.log.pending_block)
            self.log.log.pending_block = block
        else:
            block_drop(block)
        return 0

    cdef int update_key_headers(self) except -1:
        """Have the headers of the newest keyframe match the tracks."""
        return set_key_headers(self.log, self.headers_since(newest_key_headers(self.log), self.key_ms))

    # --- tags -----------------------------------------------------------------------------------

    cdef int write_at(self, uint8_t kind, uint32_t timestamp, uint8_t flags, const uint8_t* body, uint32_t n) except -1:
        """Write a tag that moves no clock, at the *timestamp* of the publisher."""
        return self.write(kind, timeline_peek(&self.timeline, kind == TAG_VIDEO, timestamp), flags, body, n)

    cdef int write(self, uint8_t kind, int64_t dts_ms, uint8_t flags, const uint8_t* body, uint32_t size) except -1:
        """Copy a tag into the log; readers see it after `publish`. KEY is also said in the first byte of a picture."""
        cdef uint8_t* out = log_reserve(self.log.log, size + TAG_FRAME_BYTES)
        if out == NULL:
            raise MemoryError
        write_tag(out, kind, body, size, 0 if kind == TAG_SCRIPT and flags & NOTES else told_ms(self.log.log, dts_ms))
        if kind == TAG_VIDEO and flags & KEY and body[0] & 0x70 != KEY_FRAME and body[0] & 0x70 != GENERATED_KEY_FRAME:
            out[TAG_HEADER_BYTES] = (body[0] & 0x8F) | KEY_FRAME
        log_commit(self.log.log, size + TAG_FRAME_BYTES, dts_ms, kind, flags)
        self.written = True
        return 0

    cdef int write_clock(self, int64_t dts_ms) except -1:
        """Write the clock tag that belongs before the tag of *dts_ms*."""
        self.clocked = True
        self.clock_ms = dts_ms
        body = self.clock(told_ms(self.log.log, dts_ms))
        if body is not None:
            self.write(TAG_SCRIPT, dts_ms, 0, body, <uint32_t>len(body))
        return 0

    cdef int begin_epoch(self, int64_t dts_ms) except -1:
        """Count the time of players from the tag of *dts_ms* on, before it is written; players of today end there."""
        # Times that go back, as the other modes let them, would fall before the epoch.
        if self.timeline.mode == JITTER_FULL:
            if not self.hidden[0]:
                # Sound that follows may be older than its keyframe.
                dts_ms = max(dts_ms - SPREAD_MS, min(dts_ms, self.timeline.tracks[0].out))
            log_begin_epoch(self.log.log, dts_ms)
        return 0

    cdef int publish(self) except -1:
        """Publish the tags written since the last time to the readers of the log."""
        self.snapshots = 0
        self.give_headers()
        if self.written:
            self.written = False
            urgent = self.urgent
            self.urgent = False
            self.log.publish(urgent)
        return 0
