"""From media messages to tags in a log.

Each message is classified, stamped and copied once, from the bytes that the peer sent into the log. Sequence headers
are kept per track (headers.pyx), so that a player can start at any keyframe.

Spec: RTMP 1.0, 7.1.6 (aggregate); Adobe FLV v10.1, E.4; Enhanced RTMP v2.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.core.atomics cimport store32_release
from fastflv._ext.core.octets cimport load_be32
from fastflv._ext.ingest.dependency cimport is_disposable, note_key, read_form
from fastflv._ext.ingest.headers cimport HEADER_SAME, Header, HeaderStore, merge_headers
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.ingest.timeline cimport (
    JITTER_FULL, timeline_peek, timeline_place, timeline_restart, timeline_set_mode, timeline_stamp,
)
from fastflv._ext.log.block cimport Block, block_drop
from fastflv._ext.log.epoch cimport move_epoch, restamp_log
from fastflv._ext.log.keyheaders cimport newest_key_headers, set_key_headers
from fastflv._ext.log.log cimport log_begin_epoch, log_commit, log_mark_key, log_reserve, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.timeshift cimport timeshift_give_headers, timeshift_mark
from fastflv._ext.syntax.flvtag cimport (
    BACK_POINTER_BYTES, COMMAND, CONFIG, DISPOSABLE, KEY, LEADING, NOTES, TAG_AUDIO, TAG_FRAME_BYTES, TAG_HEADER_BYTES,
    TAG_SCRIPT, TAG_VIDEO, FlvTag, Payload, TagTraits, read_payload, read_tag_header, read_traits,
    write_tag,
)

from fastflv import limits

cdef int64_t GATE_AUDIO_MS = limits.GATE_AUDIO_MS
cdef int64_t TRACK_LOST_MS = limits.TRACK_LOST_MS
cdef int64_t CLOCK_STEP_MS = limits.LIVE_CLOCK_STEP_MS
cdef Py_ssize_t SCRIPT_BYTES = limits.COMMAND_BYTES_MAX
cdef int64_t HEADERS_BYTES = limits.HEADERS_BYTES_MAX
cdef int SNAPSHOTS_MAX = limits.KEY_HEADERS_MAX
cdef int CHANGES_MAX = limits.TRACK_CHANGES_MAX
cdef int64_t CHANGES_SPAN_MS = limits.TRACK_CHANGES_SPAN_MS
cdef int64_t EPOCH_MS = limits.TIME_EPOCH_MS
cdef int64_t SPREAD_MS = limits.TIME_TRACK_SPREAD_MS
cdef int64_t PLACE_STEP_MS = limits.TIMESHIFT_PLACE_MS


@cython.final
cdef class StreamWriter(MediaSink):
    """Sink of a stream's publishers, one after the other; `begin` marks the start of each.

    *jitter*: 0 full, 1 zero, 2 off (timeline.pxd). With *reduce_headers*, sequence headers equal to the last are left
    out. Players see new tags after the next `flush`. Belongs to the event loop.
    """

    def __cinit__(self, MediaLog log not None, *, int jitter=0, bint reduce_headers=False):
        self.log = log
        self.headers = HeaderStore()
        self.timeline.mode = jitter
        self.reduce_headers = reduce_headers
        self.key_ms = -1

    def begin(self, int64_t gap_ms):
        """Start a publisher, whose first tag is stamped *gap_ms* after the last one of the publisher before.

        On a stream that had video, the gate passes headers alone until the first keyframe. A publisher that sends
        audio and no video passes after GATE_AUDIO_MS; after TRACK_LOST_MS when it sent a video header.
        """
        cdef int i
        # The gate is unchanged by a publisher that never passed it.
        self.wait_video = self.has_video or (self.wait_video and not self.open)
        self.open = self.audio_tags == 0 and self.video_tags == 0
        self.returned = not self.open
        if self.open:
            # The log holds no media: headers of the publisher before serve no player.
            self.headers.clear()
            store32_release(&self.log.log.has_video, 0)
        self.has_audio = False
        self.has_video = False
        self.gate_timed = False
        self.settled = False
        self.wait_key = False
        self.clocked = False
        for i in range(2):
            self.lost[i] = False
            self.silent_since_ms[i] = -1
        self.headers.metadata = None
        self.key_bare = False
        self.change_due = False
        self.gop_ms = 0
        self.gop_least_ms = 0
        self.key_ms = -1
        self.sound_ms = -PLACE_STEP_MS
        self.headers.mark_stale()
        self.log.forget_key()
        timeline_restart(&self.timeline, gap_ms)

    def forget_key(self):
        """End a publisher's media: no player starts from its last GOP."""
        self.key_bare = False
        self.log.forget_key()

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

    def config(self, uint8_t kind):
        """Return the body of the sequence header of the default track of *kind* (8 or 9), or None."""
        return self.headers.config(kind)

    def header_tags(self, int64_t dts_ms):
        """Return metadata and sequence headers as FLV tags stamped with the stream time *dts_ms*, the metadata 0."""
        cdef Block* block = self.headers.as_block(told_ms(self.log.log, dts_ms), self.lost)
        try:
            return block.bytes[:block.size]
        finally:
            block_drop(block)

    def set_metadata(self, bytes body not None, uint32_t timestamp):
        """Write an onMetaData tag and keep it for players that join."""
        self.keep_headers()
        self.headers.metadata = body
        self.write(TAG_SCRIPT, timeline_peek(&self.timeline, 0, timestamp), NOTES, body, <uint32_t>len(body))
        self.urgent = True

    def replace_metadata(self, bytes body not None, *, bint shown):
        """Keep an onMetaData tag, also for players that start at the newest keyframe; *shown*: write it to the log.

        The headers before that keyframe then match the tracks of now: those of a new track are added, those of a
        lost track removed.
        """
        self.give_headers()
        self.headers.metadata = body
        if shown:
            self.write(TAG_SCRIPT, self.timeline.out, NOTES, body, <uint32_t>len(body))
            self.urgent = True
        set_key_headers(self.log, merge_headers(newest_key_headers(self.log), self.header_tags(self.key_ms)))

    def add_script(self, bytes body not None, uint32_t timestamp):
        """Write a script data tag that is no metadata (cue points, captions) at its own time, ms modulo 2**32.

        Joining players are not sent it. Left out are tags over COMMAND_BYTES_MAX, and those before the first keyframe
        of a publisher that returns.
        """
        if not self.open or len(body) > SCRIPT_BYTES:
            self.ignored += 1
            return
        cdef int64_t dts = timeline_place(&self.timeline, timestamp, self.now_ms)
        self.write(TAG_SCRIPT, dts, 0, body, <uint32_t>len(body))
        self.urgent = True

    def flush(self):
        """Publish the tags written since the last flush to the readers of the log."""
        if self.change_due and self.now_ms - self.changes_ms >= CHANGES_SPAN_MS:
            self.change_due = False
            self.announce_tracks()
        self.snapshots = 0
        self.give_headers()
        if self.written:
            self.written = False
            urgent = self.urgent
            self.urgent = False
            self.log.publish(urgent)

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        self.bytes += <uint64_t>size
        if kind == 22:
            return self.take_aggregate(timestamp, body, size)
        return self.take_message(kind, timestamp, body, size)

    cdef int take_aggregate(self, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        """Split an aggregate into its sub-messages; one that is cut short at the end is left out."""
        cdef Py_ssize_t at = 0
        cdef uint32_t first = 0
        cdef FlvTag sub
        # The last back pointer may be absent, so `next_tag` does not fit.
        while at + TAG_HEADER_BYTES <= size:
            read_tag_header(body + at, &sub)
            if <Py_ssize_t>sub.size > size - at - TAG_HEADER_BYTES:
                break
            if at == 0:
                first = sub.timestamp
            if sub.kind == TAG_AUDIO or sub.kind == TAG_VIDEO:
                self.take_message(sub.kind, timestamp + (sub.timestamp - first), sub.body, sub.size)
            at += TAG_HEADER_BYTES + <Py_ssize_t>sub.size + BACK_POINTER_BYTES
        return 0

    cdef int take_message(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        cdef TagTraits traits
        cdef Payload found
        cdef int64_t dts
        cdef int64_t at
        cdef int track = kind == TAG_VIDEO
        cdef bint appeared = False
        cdef bint key
        cdef int stored
        if size == 0 or (kind == TAG_VIDEO and size >= 4 and load_be32(body) == 0):
            # An empty message, or the timecode track, which ffmpeg sends as four zero bytes.
            self.ignored += 1
            return 0
        traits = read_traits(kind, body, size)
        key = kind == TAG_VIDEO and traits.flags & KEY and traits.track == 0
        if kind == TAG_VIDEO and not traits.flags & COMMAND:
            if (self.settled or self.returned) and not self.has_video:
                self.wait_key = True
            if self.wait_key and not traits.flags & CONFIG:
                if not key:
                    self.ignored += 1
                    return 0
                self.wait_key = False
        # A lost track returns with its next frame: encoders repeat headers of tracks that stay silent.
        if not traits.flags & COMMAND and not (self.lost[track] and traits.flags & CONFIG):
            if kind == TAG_VIDEO:
                appeared = not self.has_video
                self.has_video = True
                if appeared:
                    store32_release(&self.log.log.has_video, 1)
                if traits.track == 0:
                    self.video_codec = traits.codec
            else:
                appeared = not self.has_audio
                self.has_audio = True
                if traits.track == 0:
                    self.audio_codec = traits.codec
                    self.audio_head = body[0]
        if traits.flags & (CONFIG | NOTES):
            if (
                kind == TAG_VIDEO and traits.flags == CONFIG and size <= HEADERS_BYTES
                and read_payload(kind, body, size, &found)
            ):
                read_form(&self.form, found.codec, body + found.at, found.size)
            if not self.headers.has(kind, &traits, body, <uint32_t>size):
                self.keep_headers()
            stored = self.headers.store(kind, &traits, body, <uint32_t>size)
            if stored == HEADER_SAME and self.reduce_headers and not appeared:
                self.ignored += 1
                return 0
            if appeared:
                self.add_track(kind)
            dts = timeline_peek(&self.timeline, kind == TAG_VIDEO, timestamp)
            return self.write(kind, dts, traits.flags, body, <uint32_t>size)
        if appeared:
            self.add_track(kind)
        if not self.open and not self.pass_gate(kind, &traits):
            self.ignored += 1
            return 0
        if traits.flags & COMMAND:
            dts = timeline_peek(&self.timeline, kind == TAG_VIDEO, timestamp)
            return self.write(kind, dts, traits.flags, body, <uint32_t>size)
        dts = timeline_stamp(&self.timeline, kind == TAG_VIDEO, timestamp, self.now_ms)
        self.detect_lost_track(track, dts)
        if dts - self.log.log.epoch_ms > EPOCH_MS and (key or not self.has_video):
            self.begin_epoch(dts)
        if self.clock is not None and (
            key or (
                not self.has_video
                and (not self.clocked or not self.clock_ms <= dts < self.clock_ms + CLOCK_STEP_MS)
            )
        ):
            self.write_clock(dts)
        at = self.log.log.written
        if kind == TAG_VIDEO and traits.track == 0:
            traits.flags = self.picture_flags(&traits, dts, body, size)
        self.write(kind, dts, traits.flags, body, <uint32_t>size)
        if kind == TAG_VIDEO:
            self.video_tags += 1
            self.urgent = True
            if key:
                if self.key_ms >= 0:
                    self.gop_least_ms = min(self.gop_least_ms or dts, dts - self.key_ms)
                    self.gop_ms = max(self.gop_ms, dts - self.key_ms)
                self.key_ms = dts
                self.mark_key(at, dts)
        else:
            self.audio_tags += 1
            if not self.has_video and self.log.log.past != NULL and not 0 <= dts - self.sound_ms < PLACE_STEP_MS:
                self.sound_ms = dts
                self.mark_place(at, dts)
        return 0

    cdef uint8_t picture_flags(
        self, const TagTraits* traits, int64_t dts_ms, const uint8_t* body, Py_ssize_t size
    ) noexcept:
        """Return the flags of a picture: those of its tag, and LEADING and DISPOSABLE as its coded headers say."""
        cdef Payload found
        cdef uint8_t flags = traits.flags
        if not read_payload(TAG_VIDEO, body, size, &found) or found.packet != 1:
            return flags
        if flags & KEY:
            note_key(&self.form, body + found.at, found.size)
            self.key_shown_ms = dts_ms + found.cts_ms
            return flags
        if dts_ms + found.cts_ms < self.key_shown_ms:
            flags |= LEADING
        if not flags & DISPOSABLE and is_disposable(&self.form, body + found.at, found.size):
            flags |= DISPOSABLE
        return flags

    cdef int add_track(self, uint8_t kind) except -1:
        """Announce a track that has appeared; repeat the headers of one that was lost."""
        cdef int track = kind == TAG_VIDEO
        cdef int i
        cdef Header* h
        cdef bint was_lost = self.lost[track]
        cdef bint told = self.may_announce()
        self.keep_headers()
        self.lost[track] = False
        self.announce_tracks()
        # Who changes its tracks that often repeats no headers: they would be more than what it sends.
        if was_lost and told:
            for i in range(self.headers.count):
                h = &self.headers.rows[i]
                if h.kind == kind:
                    self.write(kind, timeline_peek(&self.timeline, track, 0), h.flags, h.body, h.size)
        return 0

    cdef bint may_announce(self) noexcept:
        """Whether a change of the tracks is announced at once: CHANGES_MAX are within CHANGES_SPAN_MS."""
        return self.changes < CHANGES_MAX or self.now_ms - self.changes_ms >= CHANGES_SPAN_MS

    cdef int announce_tracks(self) except -1:
        """Call `on_tracks_changed` once players may be there: now, or where changes are many at a later flush."""
        if not self.settled or self.on_tracks_changed is None:
            return 0
        if not self.may_announce():
            self.change_due = True
            return 0
        if self.now_ms - self.changes_ms >= CHANGES_SPAN_MS:
            self.changes_ms = self.now_ms
            self.changes = 0
        self.changes += 1
        self.on_tracks_changed()
        return 0

    cdef int detect_lost_track(self, int track, int64_t dts_ms) except -1:
        """Note a tag of *track*; the other track is lost when it has been silent for TRACK_LOST_MS."""
        cdef int other = 1 - track
        self.silent_since_ms[track] = -1
        if self.silent_since_ms[other] < 0 or self.silent_since_ms[other] > dts_ms:
            self.silent_since_ms[other] = dts_ms
        if dts_ms - self.silent_since_ms[other] <= TRACK_LOST_MS or not (self.has_video if other else self.has_audio):
            return 0
        self.keep_headers()
        self.lost[other] = True
        if other:
            self.has_video = False
            store32_release(&self.log.log.has_video, 0)
            # A picture that old is no start for a player.
            self.key_bare = False
            self.log.forget_key()
        else:
            self.has_audio = False
        return self.announce_tracks()

    cdef int begin_epoch(self, int64_t dts_ms) except -1:
        """Count the time of players from the tag of *dts_ms* on, before it is written; players of today end there."""
        # Times that go back, as the other modes let them, would fall before the epoch.
        if self.timeline.mode == JITTER_FULL:
            if self.has_audio:
                # Sound that follows may be older than its keyframe.
                dts_ms = max(dts_ms - SPREAD_MS, min(dts_ms, self.timeline.tracks[0].out))
            log_begin_epoch(self.log.log, dts_ms)
        return 0

    cdef int write_clock(self, int64_t dts_ms) except -1:
        """Write the clock tag that belongs before the tag of *dts_ms*."""
        self.clocked = True
        self.clock_ms = dts_ms
        body = self.clock(told_ms(self.log.log, dts_ms))
        if body is not None:
            self.write(TAG_SCRIPT, dts_ms, 0, body, <uint32_t>len(body))
        return 0

    cdef bint pass_gate(self, uint8_t kind, const TagTraits* traits) noexcept:
        """Decide whether a returning publisher's media starts with this tag."""
        if kind == TAG_VIDEO:
            if not traits.flags & KEY or traits.flags & COMMAND:
                return False
        elif self.has_video or self.wait_video:
            if not self.gate_timed:
                self.gate_timed = True
                self.gate_ms = self.now_ms
            if self.now_ms - self.gate_ms < (TRACK_LOST_MS if self.has_video else GATE_AUDIO_MS):
                return False
            if self.has_video:
                # The publisher sent a video header and no keyframe: video is lost until one comes.
                self.lost[1] = True
                self.has_video = False
        self.open = True
        store32_release(&self.log.log.has_video, 1 if self.has_video else 0)
        self.headers.drop_stale()
        return True

    cdef int write(self, uint8_t kind, int64_t dts_ms, uint8_t flags, const uint8_t* body, uint32_t size) except -1:
        """Copy a tag into the log; readers see it after `flush`."""
        cdef uint8_t* out = log_reserve(self.log.log, size + TAG_FRAME_BYTES)
        if out == NULL:
            raise MemoryError
        write_tag(out, kind, body, size, 0 if kind == TAG_SCRIPT and flags & NOTES else told_ms(self.log.log, dts_ms))
        log_commit(self.log.log, size + TAG_FRAME_BYTES, dts_ms, kind, flags)
        self.written = True
        return 0

    cdef int mark_key(self, int64_t position, int64_t dts_ms) except -1:
        """Offer the keyframe at *position* as a start, from the next flush on."""
        # Of the keyframes of one read only the last needs headers: a block for each would let a publisher of tiny
        # keyframes allocate 2 KB per byte sent.
        log_mark_key(self.log.log, position, NULL)
        self.mark_place(position, dts_ms)
        return 0

    cdef void mark_place(self, int64_t position, int64_t dts_ms) noexcept:
        """Have players of the past start at *position*, where the log keeps one."""
        self.key_bare = True
        if self.log.log.past != NULL:
            timeshift_mark(self.log.log.past, position, dts_ms, self.has_audio, self.has_video)

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
        block = self.headers.as_block(told_ms(self.log.log, self.key_ms), self.lost)
        if self.log.log.past != NULL:
            timeshift_give_headers(self.log.log.past, block, self.log.log.written_dts)
        if self.log.log.pending_key >= 0:
            block_drop(self.log.log.pending_block)
            self.log.log.pending_block = block
        else:
            block_drop(block)
        return 0
