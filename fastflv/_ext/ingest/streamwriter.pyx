"""From media messages to tags in a log.

Every published message is classified, stamped and written once, straight from the bytes the peer
sent. Sequence headers are remembered per track, so that a player can start at any keyframe.

Spec: RTMP 1.0, 7.1.6 (aggregate); Adobe FLV v10.1, E.4; Enhanced RTMP v2.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcmp, memcpy

from fastflv._ext.core.atomics cimport store32_release
from fastflv._ext.core.octets cimport load_be24, load_be32
from fastflv._ext.ingest.dependency cimport is_disposable, note_key, read_form
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.ingest.timeline cimport timeline_peek, timeline_restart, timeline_stamp
from fastflv._ext.log.block cimport Block, block_hold, block_new
from fastflv._ext.log.keyheaders cimport newest_key_headers, set_key_headers
from fastflv._ext.log.medialog cimport MediaLog, log_commit, log_mark_key, log_reserve
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, DISPOSABLE, KEY, LEADING, NOTES, TAG_AUDIO, TAG_FRAME_BYTES, TAG_SCRIPT, TAG_VIDEO, Payload,
    TagTraits, read_payload, read_traits, write_tag, write_tag_header,
)

from fastflv import limits

cdef int64_t GATE_AUDIO_MS = limits.GATE_AUDIO_MS
cdef int64_t TRACK_LOST_MS = limits.TRACK_LOST_MS
cdef int64_t CLOCK_STEP_MS = limits.LIVE_CLOCK_STEP_MS
cdef int64_t HEADERS_BYTES = limits.HEADERS_BYTES_MAX


cdef dict tags_by_kind(bytes tags):
    """Whole FLV *tags* apart by their kind."""
    cdef dict found = {TAG_SCRIPT: b"", TAG_AUDIO: b"", TAG_VIDEO: b""}
    cdef const uint8_t* p = tags
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t end
    while at + TAG_FRAME_BYTES <= len(tags):
        end = at + TAG_FRAME_BYTES + <Py_ssize_t>load_be24(p + at + 1)
        found[p[at]] += tags[at:end]
        at = end
    return found


@cython.final
cdef class StreamWriter(MediaSink):
    """What a stream's publisher feeds. One per stream; publishers come and go, `begin` marks each.

    *jitter*: 0 full, 1 zero, 2 off (timeline.pxd). Call `flush` after each read: until then nothing
    of it is seen by players.
    """

    def __cinit__(self, MediaLog log not None, *, int jitter=0, bint reduce_headers=False):
        self.log = log
        self.timeline.mode = jitter
        self.reduce_headers = reduce_headers
        self.key_ms = -1

    def __dealloc__(self):
        cdef int i
        for i in range(self.header_count):
            free(self.headers[i].body)

    def begin(self, int64_t gap_ms):
        """A publisher starts. Its first tag comes *gap_ms* after the last one of the publisher before.

        On a stream that had video, nothing but headers passes until the first keyframe (or until
        the new publisher has shown for half a second that it has only audio, for TRACK_LOST_MS when it
        sent a header of video).
        """
        cdef int i
        # A publisher that never passed the gate leaves it as it was.
        self.wait_video = self.has_video or (self.wait_video and not self.open)
        self.open = self.audio_tags == 0 and self.video_tags == 0
        self.returned = not self.open
        if self.open:
            # All that came before was headers, and nobody plays yet.
            for i in range(self.header_count):
                free(self.headers[i].body)
            self.header_count = 0
            store32_release(&self.log.log.has_video, 0)
        self.has_audio = False
        self.has_video = False
        self.gate_timed = False
        self.settled = False
        self.wait_key = False
        self.clocked = False
        for i in range(2):
            self.lost[i] = False
            self.alone_ms[i] = -1
        self.metadata = None
        self.same_headers = False
        self.gop_ms = 0
        self.gop_least_ms = 0
        self.key_ms = -1
        for i in range(self.header_count):
            self.headers[i].stale = True
        self.log.forget_key()
        timeline_restart(&self.timeline, gap_ms)

    def forget_key(self):
        """The publisher left: nobody starts from its last GOP."""
        self.log.forget_key()

    def take_change(self):
        """Return whether headers or tracks changed since the last call."""
        changed = self.changed
        self.changed = False
        return changed

    @property
    def dts_ms(self):
        """Greatest time given out, ms."""
        return self.timeline.out

    @property
    def repairs(self):
        """Clock jumps taken out of the timeline since creation."""
        return self.timeline.repairs

    @property
    def clamped(self):
        """Tags held because they went backwards on their track, since creation."""
        return self.timeline.clamped

    def config(self, uint8_t kind):
        """Return the body of the sequence header of the default track of *kind* (8 or 9), or None."""
        cdef int i
        for i in range(self.header_count):
            h = &self.headers[i]
            if h.kind == kind and h.track == 0 and h.flags == CONFIG:
                return h.body[:h.size]
        return None

    def header_tags(self, int64_t dts_ms):
        """Return metadata and sequence headers as FLV tags stamped *dts_ms*, the metadata 0."""
        cdef Block* block = self.header_block(dts_ms)
        try:
            return block.bytes[:block.size]
        finally:
            free(block)

    def set_metadata(self, bytes body not None, uint32_t timestamp):
        """Write an onMetaData tag and keep it for players that join."""
        self.metadata = body
        self.same_headers = False
        self.write(TAG_SCRIPT, timeline_peek(&self.timeline, 0, timestamp), NOTES, body, <uint32_t>len(body))
        self.urgent = True

    def correct(self, bytes body not None, *, bint shown):
        """Keep an onMetaData tag, also for players that start at the newest keyframe; *shown*: write it at the present.

        A track that came after that keyframe gets its headers there too, one that is lost loses them.
        """
        self.metadata = body
        self.same_headers = False
        if shown:
            self.write(TAG_SCRIPT, self.timeline.out, NOTES, body, <uint32_t>len(body))
            self.urgent = True
        old, new = tags_by_kind(newest_key_headers(self.log)), tags_by_kind(self.header_tags(self.key_ms))
        set_key_headers(self.log, new[TAG_SCRIPT] + b"".join([
            old[kind] or new[kind] if new[kind] else b"" for kind in (TAG_AUDIO, TAG_VIDEO)
        ]))

    def add_script(self, bytes body not None, uint32_t timestamp):
        """Write any other script data tag (cue points, captions): it goes to those who watch now."""
        if self.open:
            self.write(TAG_SCRIPT, timeline_peek(&self.timeline, 0, timestamp), 0, body, <uint32_t>len(body))
            self.urgent = True

    def flush(self):
        """Show players what was written since the last flush."""
        if self.written:
            self.written = False
            urgent = self.urgent
            self.urgent = False
            self.log.publish(urgent)

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        self.bytes += <uint64_t>size
        if kind == 22:
            return self.take_aggregate(timestamp, body, size)
        return self.take_one(kind, timestamp, body, size)

    cdef int take_aggregate(self, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        """Split an aggregate into its sub-messages; what is cut short at its end is left out."""
        cdef Py_ssize_t at = 0
        cdef uint32_t length, sub, first = 0
        cdef bint started = False
        while at + 11 <= size:
            length = load_be24(body + at + 1)
            sub = load_be24(body + at + 4) | (<uint32_t>body[at + 7] << 24)
            if at + 11 + <Py_ssize_t>length > size:
                break
            if not started:
                first = sub
                started = True
            if body[at] == TAG_AUDIO or body[at] == TAG_VIDEO:
                self.take_one(body[at], timestamp + (sub - first), body + at + 11, length)
            at += 11 + <Py_ssize_t>length + 4
        return 0

    cdef int take_one(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        cdef TagTraits traits
        cdef Payload found
        cdef int64_t dts
        cdef int64_t at
        cdef int track = kind == TAG_VIDEO
        cdef bint came = False
        cdef bint key
        if size == 0 or (kind == TAG_VIDEO and size >= 4 and load_be32(body) == 0):
            # Empty messages, and the timecode track that ffmpeg sends as four zero bytes.
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
        # A header alone does not bring back a track that fell silent.
        if not traits.flags & COMMAND and not (self.lost[track] and traits.flags & CONFIG):
            if kind == TAG_VIDEO:
                came = not self.has_video
                self.has_video = True
                if came:
                    store32_release(&self.log.log.has_video, 1)
                if traits.track == 0:
                    self.video_codec = traits.codec
            else:
                came = not self.has_audio
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
            if not self.store_header(kind, &traits, body, <uint32_t>size) and self.reduce_headers and not came:
                self.ignored += 1
                return 0
            if came:
                self.arrive(kind)
            dts = timeline_peek(&self.timeline, kind == TAG_VIDEO, timestamp)
            return self.write(kind, dts, traits.flags, body, <uint32_t>size)
        if came:
            self.arrive(kind)
        if not self.open and not self.pass_gate(kind, &traits, timestamp):
            self.ignored += 1
            return 0
        if traits.flags & COMMAND:
            dts = timeline_peek(&self.timeline, kind == TAG_VIDEO, timestamp)
            return self.write(kind, dts, traits.flags, body, <uint32_t>size)
        dts = timeline_stamp(&self.timeline, kind == TAG_VIDEO, timestamp, self.now_ms)
        self.look_for_lost(track, dts)
        if self.clock is not None and (
            key or (
                not self.has_video
                and (not self.clocked or not self.clock_ms <= dts < self.clock_ms + CLOCK_STEP_MS)
            )
        ):
            self.write_clock(dts)
        at = self.log.log.written
        if kind == TAG_VIDEO and traits.track == 0:
            traits.flags = self.rank(&traits, dts, body, size)
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
        return 0

    cdef uint8_t rank(self, const TagTraits* traits, int64_t dts_ms, const uint8_t* body, Py_ssize_t size) noexcept:
        """Return the flags of a picture, with what its own headers and its time say besides."""
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

    cdef int arrive(self, uint8_t kind) except -1:
        """A track is there that was not: tell of it, and bring the headers of one that comes back."""
        cdef int track = kind == TAG_VIDEO
        cdef int i
        cdef bint back = self.lost[track]
        self.changed = True
        self.same_headers = False
        self.lost[track] = False
        if self.settled and self.tell is not None:
            self.tell()
        if back:
            for i in range(self.header_count):
                h = &self.headers[i]
                if h.kind == kind:
                    self.write(
                        kind, timeline_peek(&self.timeline, track, 0), h.flags, h.body, h.size
                    )
        return 0

    cdef int look_for_lost(self, int track, int64_t dts_ms) except -1:
        """A tag of *track* came: see whether the other track has been silent for too long."""
        cdef int other = 1 - track
        self.alone_ms[track] = -1
        if self.alone_ms[other] < 0 or self.alone_ms[other] > dts_ms:
            self.alone_ms[other] = dts_ms
        if dts_ms - self.alone_ms[other] <= TRACK_LOST_MS or not (self.has_video if other else self.has_audio):
            return 0
        self.lost[other] = True
        self.changed = True
        self.same_headers = False
        if other:
            self.has_video = False
            store32_release(&self.log.log.has_video, 0)
            # Nobody starts with a picture that old.
            self.log.forget_key()
        else:
            self.has_audio = False
        if self.settled and self.tell is not None:
            self.tell()
        return 0

    cdef int write_clock(self, int64_t dts_ms) except -1:
        self.clocked = True
        self.clock_ms = dts_ms
        body = self.clock(dts_ms)
        if body is not None:
            self.write(TAG_SCRIPT, dts_ms, 0, body, <uint32_t>len(body))
        return 0

    cdef bint pass_gate(self, uint8_t kind, const TagTraits* traits, uint32_t timestamp) noexcept:
        """Decide whether a returning publisher's media starts with this tag."""
        cdef int i, kept
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
                # It was announced by its header, and no keyframe came: it counts as lost until one does.
                self.lost[1] = True
                self.has_video = False
        self.open = True
        self.changed = True
        self.same_headers = False
        store32_release(&self.log.log.has_video, 1 if self.has_video else 0)
        kept = 0
        for i in range(self.header_count):
            if self.headers[i].stale:
                free(self.headers[i].body)
            else:
                self.headers[kept] = self.headers[i]
                kept += 1
        self.header_count = kept
        return True

    cdef bint store_header(self, uint8_t kind, const TagTraits* traits, const uint8_t* body, uint32_t size) except -1:
        """Remember a sequence header, unless it is too large; return whether it differs from the one before."""
        cdef int i
        cdef int64_t others = 0
        cdef Header* h = NULL
        cdef uint8_t what = traits.flags & (CONFIG | NOTES)
        cdef uint8_t* copy
        for i in range(self.header_count):
            if self.headers[i].kind == kind and self.headers[i].track == traits.track and self.headers[i].flags == what:
                h = &self.headers[i]
            else:
                others += self.headers[i].size
        if h != NULL and h.size == size and memcmp(h.body, body, size) == 0:
            h.stale = False
            return False
        if others + size > HEADERS_BYTES or (h == NULL and self.header_count == HEADERS_MAX):
            return True
        copy = <uint8_t*>malloc(size)
        if copy == NULL:
            raise MemoryError
        memcpy(copy, body, size)
        if h == NULL:
            h = &self.headers[self.header_count]
            self.header_count += 1
        else:
            free(h.body)
        h.body = copy
        h.size = size
        h.codec = traits.codec
        h.kind = kind
        h.track = traits.track
        h.flags = what
        h.stale = False
        self.changed = True
        self.same_headers = False
        return True

    cdef int write(self, uint8_t kind, int64_t dts_ms, uint8_t flags, const uint8_t* body, uint32_t size) except -1:
        cdef uint8_t* out = log_reserve(self.log.log, size + TAG_FRAME_BYTES)
        if out == NULL:
            raise MemoryError
        write_tag(out, kind, body, size, 0 if kind == TAG_SCRIPT and flags & NOTES else dts_ms)
        log_commit(self.log.log, size + TAG_FRAME_BYTES, dts_ms, kind, flags)
        self.written = True
        return 0

    cdef int mark_key(self, int64_t position, int64_t dts_ms) except -1:
        """Players may start with the keyframe at *position*, and with the headers as they are now."""
        cdef Block* block = self.log.log.pending_block
        cdef uint8_t* tag
        cdef uint32_t size
        if block == NULL or not self.same_headers:
            block = self.header_block(dts_ms)
            self.same_headers = True
        else:
            # Of a keyframe in this same read, which nobody has seen: a copy for each would be 20 KB per byte read.
            block_hold(block)
            tag = block.bytes
            while tag < block.bytes + block.size:
                size = load_be24(tag + 1)
                write_tag_header(tag, tag[0], size, 0 if tag[0] == TAG_SCRIPT else dts_ms)
                tag += size + TAG_FRAME_BYTES
        log_mark_key(self.log.log, position, block)
        return 0

    cdef Block* header_block(self, int64_t dts_ms) except NULL:
        """Return metadata, audio headers, video headers and notes as tags; the caller owns it.

        They are stamped *dts_ms*, the metadata 0.
        """
        cdef int i, turn
        cdef uint32_t size = 0
        cdef Block* block
        cdef uint8_t* out
        cdef const uint8_t* meta = NULL
        if self.metadata is not None:
            meta = self.metadata
            size = <uint32_t>len(self.metadata) + TAG_FRAME_BYTES
        for i in range(self.header_count):
            if not self.lost[self.headers[i].kind == TAG_VIDEO]:
                size += self.headers[i].size + TAG_FRAME_BYTES
        block = block_new(NULL, size)
        if block == NULL:
            raise MemoryError
        out = block.bytes
        if meta != NULL:
            write_tag(out, TAG_SCRIPT, meta, <uint32_t>len(self.metadata), 0)
            out += len(self.metadata) + TAG_FRAME_BYTES
        for turn in range(3):
            for i in range(self.header_count):
                h = &self.headers[i]
                if self.lost[h.kind == TAG_VIDEO]:
                    continue
                if (turn == 0) == (h.kind == TAG_AUDIO) and (turn == 2) == (h.flags == NOTES):
                    write_tag(out, h.kind, h.body, h.size, dts_ms)
                    out += h.size + TAG_FRAME_BYTES
        return block
