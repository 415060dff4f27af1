"""From media messages to tags in a log.

Each message is classified, stamped and copied once, from the bytes that the peer sent into the log. Sequence headers
are kept per track (headers.pyx), so that a player can start at any keyframe.

Spec: Adobe FLV v10.1, E.4; Enhanced RTMP v2.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free
from libc.string cimport memcpy, memset

from fastflv._ext.core.atomics cimport store32_release
from fastflv._ext.core.octets cimport load_be32
from fastflv._ext.ingest.accessunits cimport UNIT_PART, AccessUnits
from fastflv._ext.ingest.adtsframes cimport AdtsFrames
from fastflv._ext.ingest.figures cimport (
    figures_frame, figures_key, figures_picture, figures_repairs, read_figures,
)
from fastflv._ext.ingest.headers cimport HEADER_SAME, HEADER_STORED, HEADER_TOO_LARGE, Header, make_header
from fastflv._ext.ingest.interleaver cimport HeldMessage, Interleaver
from fastflv._ext.ingest.pictures cimport Pictures
from fastflv._ext.ingest.sink cimport split_aggregate
from fastflv._ext.ingest.tagwriter cimport TagWriter
from fastflv._ext.ingest.timeline cimport timeline_lead, timeline_place, timeline_restart, timeline_stamp
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, KEY, NOTES, TAG_AUDIO, TAG_SCRIPT, TAG_VIDEO, Payload, TagTraits, is_aac, read_payload,
    read_traits,
)

from fastflv import limits

cdef int64_t GATE_AUDIO_MS = limits.GATE_AUDIO_MS
cdef int64_t SPLICE_GAP_MS = limits.SPLICE_GAP_MS
cdef int64_t TRACK_LOST_MS = limits.TRACK_LOST_MS
cdef int64_t CLOCK_STEP_MS = limits.LIVE_CLOCK_STEP_MS
cdef Py_ssize_t SCRIPT_BYTES = limits.COMMAND_BYTES_MAX
cdef int64_t HEADERS_BYTES = limits.HEADERS_BYTES_MAX
cdef int CHANGES_MAX = limits.TRACK_CHANGES_MAX
cdef int64_t CHANGES_SPAN_MS = limits.TRACK_CHANGES_SPAN_MS
cdef int64_t EPOCH_MS = limits.TIME_EPOCH_MS
cdef int64_t PLACE_STEP_MS = limits.TIMESHIFT_PLACE_MS

cdef TagTraits DEFAULT_CONFIG  # of the sequence header of a default track
DEFAULT_CONFIG.flags = CONFIG


@cython.final
cdef class StreamWriter(TagWriter):
    """Sink of a stream's publishers, one after the other; `begin` marks the start of each.

    *jitter*: 0 full, 1 zero, 2 off (timeline.pxd). With *reduce_headers*, sequence headers equal to the last are left
    out. With *interleave*, sound and pictures are written in the order of their times (interleaver.pyx). *make_record*
    is called with `(kind, codec, data)`, parameter sets or an ADTS frame, and returns the decoder configuration that
    they are, or None. Players see new tags after the next `flush`. Belongs to the event loop.
    """

    def __cinit__(
        self, MediaLog log not None, *, int jitter=0, bint reduce_headers=False, bint interleave=False, make_record=None
    ):
        self.units = AccessUnits(make_record)
        self.pictures = Pictures()
        self.adts = AdtsFrames(make_record)
        self.reduce_headers = reduce_headers
        self.interleave = interleave

    def begin(self, int64_t gap_ms):
        """Start a publisher, whose first tag is stamped *gap_ms* after the last one of the publisher before.

        Or later, behind the last picture that is shown of that one.

        On a stream that had video, the gate opens with the first keyframe, for a publisher that sends audio alone after
        GATE_AUDIO_MS.
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
        self.waited_ms = -1
        self.clocked = False
        self.units.clear()
        self.pictures.clear()
        self.adts.clear()
        if self.interleaver is not None:
            self.interleaver.clear()
        for i in range(2):
            self.hidden[i] = True
            self.silent_since_ms[i] = -1
        self.headers.metadata = None
        self.key_bare = False
        self.change_due = False
        self.gop_ms = 0
        self.gop_least_ms = 0
        self.key_ms = -1
        self.sound_ms = -PLACE_STEP_MS
        memset(&self.figures, 0, sizeof(self.figures))
        self.headers.mark_stale()
        self.log.forget_key()
        timeline_restart(&self.timeline, max(gap_ms, self.shown_ahead()))
        self.shown_ms = 0
        self.figures.repairs = self.timeline.repairs + self.timeline.clamped

    @property
    def interleave(self):
        """Whether media is written in the order of its times. May be set while a publisher sends."""
        return self.interleaver is not None

    @interleave.setter
    def interleave(self, bint on):
        if on != self.interleave:
            self.finish()
            self.interleaver = Interleaver() if on else None

    @property
    def shown_ahead_ms(self):
        """How far the last picture is shown behind the greatest time written, ms; 1 at least."""
        return self.shown_ahead()

    @property
    def audio_head(self):
        """The first bytes of the newest audio body of the default track; empty before one."""
        return self.sound[:self.sound_size]

    def take_least_picture(self):
        """Return the size of the smallest video message since the last call, bytes; 0 where none came."""
        cdef uint32_t least = self.least_picture
        self.least_picture = 0
        return least

    def figures_at(self, int64_t now_ms):
        """Return the figures of the publisher's media at *now_ms* (monotonic)."""
        return read_figures(&self.figures, now_ms, self.video_tags)

    @property
    def skew_ms(self):
        """How far sound is ahead of the pictures of the same moment, ms; below 0 behind, 0 for one track."""
        if not (self.has_audio and self.has_video):
            return 0
        return timeline_lead(&self.timeline, 0) - timeline_lead(&self.timeline, 1)

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
        self.units.records = self.adts.records = 0
        self.publish()

    def finish(self):
        """Write what waits for its turn: nothing follows for a while."""
        if self.interleaver is not None:
            self.interleaver.release()
            self.take_due()

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        if kind == 22:
            return split_aggregate(self, timestamp, body, size)
        self.bytes += <uint64_t>size
        return self.take_message(kind, timestamp, body, size)

    cdef int take_message(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        cdef bint timed
        if size == 0 or (kind == TAG_VIDEO and size >= 4 and load_be32(body) == 0):
            # An empty message, or the timecode track, which ffmpeg sends as four zero bytes.
            self.ignored += 1
            return 0
        if self.interleaver is None:
            return self.take_media(kind, timestamp, body, <uint32_t>size)
        timed = read_traits(kind, body, size).flags & (CONFIG | NOTES | COMMAND) == 0
        if self.interleaver.arrive(kind, timestamp, timed, <uint32_t>size):
            self.take_due()
            return self.interleaver.hold(kind, timestamp, body, <uint32_t>size)
        self.take_due()
        return self.take_media(kind, timestamp, body, <uint32_t>size)

    cdef int take_due(self) except -1:
        """Write the messages whose turn has come."""
        cdef HeldMessage message = self.interleaver.next()
        while message.body != NULL:
            try:
                self.take_media(message.kind, message.timestamp, message.body, message.size)
            finally:
                free(message.body)
            message = self.interleaver.next()
        return 0

    cdef int take_media(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1:
        cdef TagTraits traits = read_traits(kind, body, size)
        if traits.flags & (CONFIG | NOTES):
            return self.take_header(kind, &traits, timestamp, body, size)
        if traits.flags & COMMAND:
            if self.open:
                return self.write_at(kind, timestamp, traits.flags, body, size)
            self.ignored += 1
            return 0
        if kind == TAG_VIDEO:
            if self.least_picture == 0 or size < self.least_picture:
                self.least_picture = size
            return self.take_picture(&traits, timestamp, body, size)
        self.sound_bytes += size
        return self.take_sound(&traits, timestamp, body, size)

    # --- headers --------------------------------------------------------------------------------

    cdef int take_header(
        self, uint8_t kind, const TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size
    ) except -1:
        """Take a sequence header or notes, with what is wrong in it mended."""
        cdef Payload found
        cdef bytes mended, record
        cdef bint readable = size <= HEADERS_BYTES and read_payload(kind, body, size, &found)
        readable = readable and traits.flags == CONFIG and traits.track == 0
        if readable and kind == TAG_VIDEO:
            self.units.configure(found.codec, body + found.at, found.size)
            record = self.units.new_record(body + found.at, found.size, 0)
            if record is not None:
                return self.keep_record(TAG_VIDEO, &found, timestamp, body, record)
            if self.units.is_empty:
                # The pictures bring it.
                self.ignored += 1
                return 0
            if self.units.sent_size != self.units.size:
                mended = self.units.mended(body, found.at, size)
                return self.keep_header(kind, traits, timestamp, mended, size)
        elif readable and is_aac(found.codec) and not self.adts.configure(body + found.at, found.size):
            # Frames bring it, or what it lacks.
            self.ignored += 1
            return 0
        return self.keep_header(kind, traits, timestamp, body, size)

    cdef int keep_header(
        self, uint8_t kind, const TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size
    ) except -1:
        """Keep a header for players that join; those who read the log are sent it once its track shows a frame."""
        cdef int stored
        if kind == TAG_VIDEO and traits.flags == CONFIG and size <= HEADERS_BYTES:
            self.pictures.configure(body, size)
        if not self.headers.has(kind, traits, body, size):
            self.keep_headers()
        stored = self.headers.store(kind, traits, body, size)
        if stored == HEADER_STORED and traits.track == 0:
            self.formats += 1
        if stored != HEADER_TOO_LARGE and self.hidden[kind == TAG_VIDEO] and (self.is_watched() or self.key_ms >= 0):
            return 0
        if stored == HEADER_SAME and self.reduce_headers:
            self.ignored += 1
            return 0
        if stored != HEADER_TOO_LARGE:
            self.headers.find(kind, traits).held = False
        return self.write_at(kind, timestamp, traits.flags, body, size)

    cdef int keep_record(
        self, uint8_t kind, const Payload* found, uint32_t timestamp, const uint8_t* body, bytes record
    ) except -1:
        """Keep a decoder configuration that was made of what stands in a tag with *body*."""
        header = make_header(kind, found.codec, body[0], record)
        return self.keep_header(kind, &DEFAULT_CONFIG, timestamp, header, <uint32_t>len(header))

    # --- frames ---------------------------------------------------------------------------------

    cdef int take_picture(self, TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1:
        cdef Payload found
        if traits.track != 0 or not read_payload(TAG_VIDEO, body, size, &found) or found.packet != 1:
            return self.take_frame(TAG_VIDEO, traits, timestamp, body, size, NULL)
        if self.units.take(&found, &body, &size, &traits.flags) == UNIT_PART:
            return 0
        if traits.flags & KEY:
            record = self.units.new_record(body + found.at, found.size, self.units.size)
            if record is not None:
                self.keep_record(TAG_VIDEO, &found, timestamp, body, record)
        return self.take_frame(TAG_VIDEO, traits, timestamp, body, size, &found)

    cdef int take_sound(self, TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size) except -1:
        """Take an audio frame, or all those in ADTS."""
        cdef Payload found
        cdef uint32_t after_ms = 0
        if traits.track != 0 or not read_payload(TAG_AUDIO, body, size, &found) or not is_aac(found.codec):
            return self.take_frame(TAG_AUDIO, traits, timestamp, body, size, NULL)
        if not self.adts.begin(&found, body):
            record = self.adts.full_record(&found, body)
            if record is not None:
                self.keep_record(TAG_AUDIO, &found, timestamp, body, record)
            return self.take_frame(TAG_AUDIO, traits, timestamp, body, size, NULL)
        record = self.adts.new_record()
        if record is not None:
            self.keep_record(TAG_AUDIO, &found, timestamp, body, record)
        while self.adts.next(&after_ms, &size):
            self.take_frame(TAG_AUDIO, traits, timestamp + after_ms, self.adts.body, size, NULL)
        return 0

    cdef int take_frame(
        self, uint8_t kind, TagTraits* traits, uint32_t timestamp, const uint8_t* body, uint32_t size,
        const Payload* picture,
    ) except -1:
        """Write one frame, unless players could do nothing with it."""
        cdef bint video = kind == TAG_VIDEO
        cdef bint key = video and traits.flags & KEY and traits.track == 0
        cdef int64_t dts, at
        if (not self.open and not self.pass_gate(kind, key)) or (
            video and self.hidden[1] and self.is_watched() and not self.may_begin(key)
        ):
            self.ignored += 1
            return 0
        if traits.track == 0:
            if traits.codec != (self.video_codec if video else self.audio_codec):
                self.formats += 1
            if video:
                self.video_codec = traits.codec
            else:
                self.audio_codec = traits.codec
                self.sound_size = <int>min(size, <uint32_t>SOUND_HEAD)
                memcpy(self.sound, body, self.sound_size)
        if self.hidden[video]:
            self.show_track(kind, timestamp)
        dts = timeline_stamp(&self.timeline, video, timestamp, self.now_ms)
        figures_repairs(&self.figures, self.timeline.repairs + self.timeline.clamped, self.now_ms)
        self.detect_lost_track(video, dts)
        if video and traits.track == 0:
            traits.flags = self.pictures.flags_of(traits.flags, dts, picture, body, self.log.log)
            key = traits.flags & KEY != 0
        if dts - self.log.log.epoch_ms > EPOCH_MS and (key or not self.has_video):
            self.begin_epoch(dts)
        if self.clock is not None and (key or not self.has_video and (
            not self.clocked or not self.clock_ms <= dts < self.clock_ms + CLOCK_STEP_MS
        )):
            self.write_clock(dts)
        at = self.log.log.written
        self.write(kind, dts, traits.flags, body, size)
        if picture != NULL:
            self.shown_ms = max(self.shown_ms, dts + picture.cts_ms)
        if video or not self.has_video:
            figures_frame(&self.figures, dts, self.now_ms)
        if video and traits.track == 0:
            figures_picture(&self.figures, dts, dts + (picture.cts_ms if picture != NULL else 0))
        if not video:
            self.audio_tags += 1
            if not self.has_video and self.log.log.past != NULL and not 0 <= dts - self.sound_ms < PLACE_STEP_MS:
                self.sound_ms = dts
                self.mark_place(at, dts)
            return 0
        if key:
            figures_key(&self.figures, at, dts, self.now_ms, self.video_tags)
        self.video_tags += 1
        self.urgent = True
        if key:
            if self.key_ms >= 0:
                self.gop_least_ms = min(self.gop_least_ms or dts, dts - self.key_ms)
                self.gop_ms = max(self.gop_ms, dts - self.key_ms)
            self.mark_key(at, dts)
        return 0

    cdef int show_track(self, uint8_t kind, uint32_t timestamp) except -1:
        """Announce a track with its first frame, or the first after it was lost; write its headers."""
        cdef bint video = kind == TAG_VIDEO
        cdef int i
        cdef Header* h
        cdef bint told = self.may_announce()
        self.hidden[video] = False
        if video:
            self.has_video = True
            self.waited_ms = -1
            store32_release(&self.log.log.has_video, 1)
        else:
            self.has_audio = True
        self.announce_tracks()
        if not told:
            # Who changes its tracks that often repeats no headers: they would be more than what it sends.
            return 0
        for i in range(self.headers.count):
            h = &self.headers.rows[i]
            # Who follows the log, as recorders and HLS do, has no other way to learn of one that was held back.
            if h.kind == kind and (h.held or self.is_watched()):
                h.held = False
                self.write_at(kind, timestamp, h.flags, h.body, h.size)
        if self.key_ms >= 0 and not self.key_bare:
            self.update_key_headers()
        return 0

    cdef bint is_watched(self) noexcept:
        """Return whether players may read what is written. Others start at a keyframe, with the headers of it."""
        return self.settled or self.returned

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
        self.hidden[other] = True
        if other:
            self.has_video = False
            store32_release(&self.log.log.has_video, 0)
            # A picture that old is no start for a player.
            self.key_bare = False
            self.log.forget_key()
        else:
            self.has_audio = False
        return self.announce_tracks()

    cdef int64_t shown_ahead(self) noexcept:
        """Return by how much a publisher that follows has to begin later, ms: a composition time may be any."""
        return min(max(self.shown_ms + 1 - self.timeline.out, <int64_t>1), SPLICE_GAP_MS)

    cdef bint pass_gate(self, uint8_t kind, bint key) noexcept:
        """Decide whether a returning publisher's media starts with this frame."""
        if kind == TAG_VIDEO:
            if not self.may_begin(key):
                return False
        elif self.wait_video or self.headers.is_sent(TAG_VIDEO):
            if not self.gate_timed:
                self.gate_timed = True
                self.gate_ms = self.now_ms
            if self.now_ms - self.gate_ms < GATE_AUDIO_MS:
                return False
        self.open = True
        store32_release(&self.log.log.has_video, 1 if kind == TAG_VIDEO else 0)
        self.headers.drop_stale()
        return True

    cdef bint may_begin(self, bint key) noexcept:
        """Decide whether video may begin with this picture: a keyframe, or any after `key_wait_ms` without one."""
        if not key and self.waited_ms < 0:
            self.waited_ms = self.now_ms
        return key or self.now_ms - self.waited_ms >= self.log.log.key_wait_ms
