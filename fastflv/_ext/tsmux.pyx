"""MPEG-TS made from the FLV log, each frame once, straight into the bytes that players are sent.

An entry of the log is one PES with all that belongs before it: tables, PCR packets. One picture is
one PES; audio frames are gathered up to the next picture. An entry with KEY begins with the tables.

Spec: ISO 13818-1, 2.4 (packets, PES), 2.7.2 and 2.7.3 (PCR and table intervals), 2.14 (H.264), 2.17 (HEVC); ETSI TS
102 366, annex A (AC-3, E-AC-3); Opus in MPEG-2 TS.
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcmp, memcpy, memset

from fastflv._ext.adts cimport ADTS_BYTES, adts_fits, write_adts
from fastflv._ext.atomics cimport load32_relaxed, store32_release
from fastflv._ext.flvtag cimport (
    COMMAND, CONFIG, KEY, TAG_AUDIO, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_VIDEO, Payload, read_payload, read_traits,
)
from fastflv._ext.medialog cimport MediaLog, log_commit, log_mark_key, log_reserve
from fastflv._ext.nalu cimport (
    START_CODE_BYTES, UNIT_AUD, UNIT_IRAP, UNIT_PPS, UNIT_SPS, UNIT_VPS, Units, next_unit, scan_units,
)
from fastflv._ext.octets cimport load_be16, load_be24, load_be32
from fastflv._ext.remux cimport Remux
from fastflv._ext.segment cimport Segment, Tag, block_new
from fastflv._ext.tspacket cimport (
    PES_BYTES_MAX, TS_BYTES, pes_begin, pes_packets_bytes, pes_put, write_pcr_packet, write_section_packet,
)
from fastflv._ext.tstables cimport (
    AUDIO_PID, PMT_PID, SECTION_BYTES_MAX, STREAM_AAC, STREAM_AC3, STREAM_EAC3, STREAM_H264, STREAM_HEVC,
    STREAM_MPEG1_AUDIO, STREAM_MPEG2_AUDIO, STREAM_PRIVATE, VIDEO_PID, Entry, write_pat, write_pmt,
)

from fastflv import limits
from fastflv.errors import FlvHeaderError

cdef int64_t BASE = limits.TS_BASE_MS * 90
cdef int64_t LEAD = limits.TS_PCR_LEAD_MS * 90
cdef int64_t PCR_STEP = limits.TS_PCR_MS * 90
cdef int64_t PCR_EARLY = limits.TS_PCR_EARLY_MS * 90
cdef int64_t PCR_FILL = limits.TS_PCR_FILL_MAX * PCR_STEP
cdef int64_t RESTART = limits.TS_RESTART_MS * 90
cdef int64_t SHIFT_MAX = limits.TS_SHIFT_MS * 90
cdef int64_t TABLES_MS = limits.TS_TABLES_MS
cdef int64_t AUDIO_MS = limits.TS_AUDIO_MS
cdef int64_t LOST_MS = limits.TS_TRACK_LOST_MS
cdef int64_t NEVER = -(1 << 62)

cdef enum:
    TABLES_BYTES = 2 * TS_BYTES
    GATHERED_MAX = PES_BYTES_MAX - 8   # what a PES with a length has room for
    GATHERED_FIRST = 4096
    OPUS_PREFIX = 0x7FE0       # of an access unit: no trimming, no extension

cdef enum:                     # FourCCs, and format identifiers of registration descriptors
    AVC1 = 0x61766331
    HVC1 = 0x68766331
    MP4A = 0x6D703461
    DOT_MP3 = 0x2E6D7033
    AC_3 = 0x61632D33
    EC_3 = 0x65632D33
    OPUS = 0x4F707573
    REGISTERED_AC3 = 0x41432D33
    REGISTERED_EAC3 = 0x45414333
    REGISTERED_HEVC = 0x48455643

cdef const uint8_t* AUD_H264 = b"\0\0\0\1\x09\xf0"
cdef const uint8_t* AUD_HEVC = b"\0\0\0\1\x46\x01\x50"
cdef const uint8_t* START_CODE = b"\0\0\0\1"


cdef inline int form_of(uint8_t kind, uint32_t codec) noexcept nogil:
    """How a codec of Payload is carried."""
    if kind == TAG_VIDEO:
        if codec == 7 or codec == AVC1:
            return FORM_H264
        return FORM_HEVC if codec == 12 or codec == HVC1 else FORM_NONE
    if codec == 10 or codec == MP4A:
        return FORM_AAC
    if codec == 2 or codec == 14 or codec == DOT_MP3:
        return FORM_MP3
    if codec == AC_3:
        return FORM_AC3
    if codec == EC_3:
        return FORM_EAC3
    return FORM_OPUS if codec == OPUS else FORM_NONE


cdef inline void fill_entry(Track* track, int form, uint8_t opus_channels) noexcept nogil:
    track.entry.opus_channels = opus_channels
    track.entry.registration = 0
    track.stream_id = 0xBD
    if form == FORM_H264:
        track.entry.type = STREAM_H264
        track.stream_id = 0xE0
    elif form == FORM_HEVC:
        track.entry.type = STREAM_HEVC
        track.entry.registration = REGISTERED_HEVC
        track.stream_id = 0xE0
    elif form == FORM_AAC:
        track.entry.type = STREAM_AAC
        track.stream_id = 0xC0
    elif form == FORM_MP3:
        track.stream_id = 0xC0
    elif form == FORM_AC3:
        track.entry.type = STREAM_AC3
        track.entry.registration = REGISTERED_AC3
    elif form == FORM_EAC3:
        track.entry.type = STREAM_EAC3
        track.entry.registration = REGISTERED_EAC3
    elif form == FORM_OPUS:
        track.entry.type = STREAM_PRIVATE
        track.entry.registration = OPUS


@cython.final
cdef class TsMux(Remux):
    """MPEG-TS from FLV tags: the default track of video and of audio.

    *describe* reads sequence headers (see fastflv.remux.mpegts). What TS cannot carry, and what is
    broken, is left out and counted in `skipped`.
    """

    def __cinit__(self):
        self.video.entry.pid = VIDEO_PID
        self.audio.entry.pid = AUDIO_PID
        self.sets = b""
        self.video_dts = NEVER
        self.audio_ms = NEVER

    def __init__(self, MediaLog source not None, MediaLog log not None, describe):
        Remux.__init__(self, source, log)
        self.carries_video = False
        self.describe = describe

    def __dealloc__(self):
        free(self.gathered)

    @property
    def streams(self):
        """`(PID, stream type)` of each track in the PMT."""
        return [
            (track.entry.pid, track.entry.type) for track in (self.video, self.audio) if track.announced
        ]

    def tables(self):
        """Return PAT and PMT for a player that starts at the head, b"" while no track is known.

        The next tables in the log go on with the continuity counter behind theirs.
        """
        cdef uint8_t counter = (self.tables_counter - 1) & 15
        if not (self.video.announced or self.audio.announced):
            return b""
        self.tables_shown = True
        packets = bytearray(self.tables_packets[:TABLES_BYTES])
        packets[3] |= counter
        packets[TS_BYTES + 3] |= counter
        return bytes(packets)

    def headers(self, bytes tags not None):
        """Tables, whatever *tags* say: what the log does not repeat is in it."""
        return self.tables()

    def begin(self, bytes headers not None, int64_t position):
        """As in Remux; audio that has no header is announced in the first tables too."""
        self.look_ahead(position)
        Remux.begin(self, headers, position)

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        cdef Payload payload
        if kind != TAG_VIDEO and kind != TAG_AUDIO or flags & COMMAND:
            return 0
        if not read_payload(kind, body, size, &payload):
            self.skipped += 1
        elif flags & CONFIG:
            # The other kinds of header (channels, MPEG-2 TS form) say nothing that is needed here.
            if payload.packet == 0:
                self.configure(kind, &payload, body + payload.at)
        elif payload.packet != 1:
            self.skipped += 1
        elif kind == TAG_VIDEO:
            self.take_video(flags, dts_ms, &payload, body + payload.at)
        else:
            self.take_audio(dts_ms, &payload, body + payload.at)
        return 0

    cdef int end_pass(self) except -1:
        cdef bint has_video = load32_relaxed(&self.source.log.has_video) and self.video.announced
        store32_release(&self.log.log.has_video, 1 if has_video else 0)
        if not has_video:
            self.flush_audio(False)
        return 0

    cdef int forget_key(self) except -1:
        # The tracks of the publisher to come may be others.
        self.flush_audio(False)
        if self.written:
            self.written = False
            self.log.publish(True)
        self.video.waiting = True
        self.video.since_ms = -1
        self.audio.waiting = True
        self.audio.since_ms = -1
        Remux.forget_key(self)
        return 0

    cdef int end(self) except -1:
        self.flush_audio(False)
        Remux.end(self)
        return 0

    # --- tracks ---------------------------------------------------------------------------------

    cdef int configure(self, uint8_t kind, const Payload* payload, const uint8_t* data) except -1:
        """Take a sequence header; one that TS cannot carry ends its track."""
        cdef int form = form_of(kind, payload.codec)
        cdef Track* track = &self.video if kind == TAG_VIDEO else &self.audio
        setup = None
        if form != FORM_NONE:
            setup = self.describe(kind, payload.codec, data[:payload.size])
        if kind == TAG_AUDIO:
            self.flush_audio(False)
        if setup is None:
            self.skipped += 1
            track.form = FORM_NONE
            track.announced = False
            self.remake_tables()
            return 0
        if kind == TAG_VIDEO:
            self.length_size = setup.length_size
            self.sets = setup.sets
        elif form == FORM_AAC:
            self.adts.object_type = setup.object_type
            self.adts.rate_index = setup.rate_index
            self.adts.channel_config = setup.channels
        self.know(track, form, setup.channels if form == FORM_OPUS else 0)
        return 0

    cdef void know(self, Track* track, int form, uint8_t opus_channels) noexcept:
        """A track is there as *form*, though it may not have shown a frame."""
        track.form = form
        fill_entry(track, form, opus_channels)
        if not track.announced:
            track.announced = True
            track.waiting = True
            track.since_ms = -1
        self.remake_tables()

    cdef void show(self, Track* track) noexcept:
        """A frame of a known track came."""
        track.waiting = False
        if not track.announced:
            track.announced = True
            self.remake_tables()

    cdef void expire(self, Track* track, int64_t dts_ms) noexcept:
        """Take a track out of the PMT that shows nothing."""
        if track.announced and track.waiting:
            if track.since_ms < 0 or track.since_ms > dts_ms:
                track.since_ms = dts_ms
            elif dts_ms - track.since_ms > LOST_MS:
                track.announced = False
                self.remake_tables()

    cdef void remake_tables(self) noexcept:
        """Write the tables anew; the version rises when they say something else."""
        cdef uint8_t section[SECTION_BYTES_MAX]
        cdef Entry entries[2]
        cdef int count = 0
        cdef uint32_t size
        cdef uint16_t pcr_pid = VIDEO_PID if self.video.announced else AUDIO_PID
        if self.video.announced:
            entries[count] = self.video.entry
            count += 1
        if self.audio.announced:
            entries[count] = self.audio.entry
            count += 1
        if count == 0:
            # Nothing is written until there is a track again.
            return
        size = write_pmt(section, self.version, pcr_pid, entries, count)
        if size == self.section_size and memcmp(section, self.section, size) == 0:
            return
        if self.tables_shown:
            self.tables_shown = False
            self.version = (self.version + 1) & 31
            size = write_pmt(section, self.version, pcr_pid, entries, count)
        memcpy(self.section, section, size)
        self.section_size = size
        write_section_packet(self.tables_packets + TS_BYTES, PMT_PID, section, size)
        size = write_pat(section)
        write_section_packet(self.tables_packets, 0, section, size)
        self.tables_due = True

    # --- frames ---------------------------------------------------------------------------------

    cdef int take_video(self, uint8_t flags, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1:
        cdef int form = form_of(TAG_VIDEO, payload.codec)
        cdef bint hevc = form == FORM_HEVC
        cdef bint key = (flags & KEY) != 0
        cdef int length_size = self.length_size
        cdef uint32_t wanted = (UNIT_VPS | UNIT_SPS | UNIT_PPS) if hevc else (UNIT_SPS | UNIT_PPS)
        cdef uint32_t sets = 0
        cdef uint32_t delimiter = 0
        cdef uint32_t size = 0
        cdef Py_ssize_t at = 0
        cdef const uint8_t* unit = NULL
        cdef const uint8_t* sets_bytes = self.sets
        cdef Units units
        cdef PesHead head
        if form == FORM_NONE or form != self.video.form:
            self.skipped += 1
            return 0
        if not scan_units(data, payload.size, length_size, hevc, &units):
            # Some encoders send start codes where lengths belong.
            length_size = 0
            if payload.size < 4 or load_be24(data) != 1 and load_be32(data) != 1 or not (
                scan_units(data, payload.size, 0, hevc, &units)
            ):
                self.skipped += 1
                return 0
        if not units.found & UNIT_AUD:
            delimiter = 7 if hevc else 6
        if (key or units.found & UNIT_IRAP) and units.found & wanted != wanted:
            sets = <uint32_t>len(self.sets)
        self.show(&self.video)
        self.flush_audio(True)
        self.lag_ms = max(self.audio_ms - dts_ms, 0) if self.audio_ms != NEVER else 0
        self.stamp_video(dts_ms, payload.cts_ms, &head)
        head.size = delimiter + sets + units.size
        head.random_access = key
        self.begin_entry(&self.video, &head, dts_ms, BASE + dts_ms * 90 - LEAD, key, False)
        if delimiter:
            pes_put(&self.writer, AUD_HEVC if hevc else AUD_H264, delimiter)
            pes_put(&self.writer, sets_bytes, sets)
        while at < payload.size:
            next_unit(data, payload.size, length_size, &at, &unit, &size)
            if size:
                pes_put(&self.writer, START_CODE, START_CODE_BYTES)
                pes_put(&self.writer, unit, size)
                if not delimiter:
                    # The delimiter was the first unit: parameter sets belong behind it.
                    pes_put(&self.writer, sets_bytes, sets)
                    sets = 0
        return self.end_entry(TAG_VIDEO, flags, dts_ms)

    cdef void stamp_video(self, int64_t dts_ms, int64_t cts_ms, PesHead* head) noexcept:
        """Set times of a picture: it is never decoded after it is shown, nor before the one it follows."""
        cdef int64_t dts
        if -cts_ms * 90 > self.shift:
            self.shift = min(-cts_ms * 90, SHIFT_MAX)
        dts = BASE + dts_ms * 90 - self.shift
        if dts <= self.video_dts < dts + RESTART:
            dts = self.video_dts + 1
        self.video_dts = dts
        head.dts = dts
        head.pts = max(BASE + (dts_ms + cts_ms) * 90, dts)

    cdef bint check_frame(self, int form, const uint8_t* data, uint32_t size) except -1:
        """Say whether an audio frame can be carried; codecs without a header become known by it."""
        cdef uint8_t kind
        if form == FORM_AAC:
            return self.audio.form == FORM_AAC and adts_fits(size)
        if form == FORM_OPUS:
            return self.audio.form == FORM_OPUS and size > 0
        if size < 4 or form == FORM_NONE:
            return False
        if form == FORM_MP3:
            if load_be16(data) & 0xFFE0 != 0xFFE0 or not data[1] & 0x06:
                return False
            kind = STREAM_MPEG1_AUDIO if data[1] & 0x18 == 0x18 else STREAM_MPEG2_AUDIO
            if self.audio.form != FORM_MP3 or self.audio.entry.type != kind:
                self.flush_audio(False)
                self.audio.entry.type = kind
                self.know(&self.audio, form, 0)
            return True
        if load_be16(data) != 0x0B77:
            return False
        if self.audio.form != form:
            self.know(&self.audio, form, 0)
        return True

    cdef int take_audio(self, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1:
        """Gather a frame with its header for the next audio PES."""
        cdef int form = form_of(TAG_AUDIO, payload.codec)
        cdef Payload header
        cdef uint32_t size = payload.size
        cdef uint32_t room
        cdef uint8_t* out
        if form != self.audio.form:
            self.flush_audio(False)
            if form == FORM_OPUS:
                # Its header may be left out; then it is stereo (Enhanced RTMP v2).
                header = payload[0]
                header.size = 0
                self.configure(TAG_AUDIO, &header, data)
        if form == FORM_AAC:
            size += ADTS_BYTES
        elif form == FORM_OPUS:
            size += 3 + size // 255
        if size > GATHERED_MAX or not self.check_frame(form, data, payload.size):
            self.skipped += 1
            return 0
        if self.gathered_size and not (
            0 <= dts_ms - self.gathered_ms < AUDIO_MS and self.gathered_size + size <= GATHERED_MAX
        ):
            self.flush_audio(False)
        if self.gathered_size + size > self.gathered_room:
            room = max(self.gathered_size + size, max(2 * self.gathered_room, GATHERED_FIRST))
            out = <uint8_t*>realloc(self.gathered, room)
            if out == NULL:
                raise MemoryError
            self.gathered = out
            self.gathered_room = room
        self.show(&self.audio)
        if self.gathered_size == 0:
            self.gathered_ms = dts_ms
        self.audio_ms = dts_ms
        out = self.gathered + self.gathered_size
        self.gathered_size += size
        if form == FORM_AAC:
            write_adts(out, &self.adts, payload.size)
        elif form == FORM_OPUS:
            out[0] = OPUS_PREFIX >> 8
            out[1] = OPUS_PREFIX & 0xFF
            memset(out + 2, 0xFF, payload.size // 255)
            out[2 + payload.size // 255] = payload.size % 255
        memcpy(out + size - payload.size, data, payload.size)
        return 0

    cdef int flush_audio(self, bint riding) except -1:
        """Write the gathered frames as one PES. *riding*: a picture follows at once."""
        cdef PesHead head
        cdef int64_t clock
        if self.gathered_size == 0:
            return 0
        head.pts = BASE + self.gathered_ms * 90
        head.dts = head.pts
        head.size = self.gathered_size
        head.random_access = False
        clock = head.pts if not self.video.announced else BASE + (self.audio_ms - self.lag_ms) * 90
        self.begin_entry(&self.audio, &head, self.gathered_ms, clock - LEAD, False, riding)
        pes_put(&self.writer, self.gathered, self.gathered_size)
        self.gathered_size = 0
        return self.end_entry(TAG_AUDIO, 0, self.gathered_ms)

    # --- entries --------------------------------------------------------------------------------

    cdef int begin_entry(
        self, Track* track, PesHead* head, int64_t dts_ms, int64_t clock, bint key, bint riding
    ) except -1:
        """Write all of an entry up to the data of its PES. *clock*: the PCR that fits this entry, 90 kHz."""
        cdef Track* timer
        cdef bint tables, restarts
        cdef int64_t gap
        cdef int64_t alone = 0     # PCR packets before the PES
        cdef int64_t i
        cdef uint8_t* out
        self.expire(&self.video, dts_ms)
        self.expire(&self.audio, dts_ms)
        tables = key or self.tables_due or not -TABLES_MS < dts_ms - self.tables_ms < TABLES_MS
        timer = &self.video if self.video.announced else &self.audio
        gap = clock - self.pcr
        restarts = self.clocked and not -RESTART <= gap <= PCR_FILL
        if not self.clocked or restarts:
            gap = 0
        head.pid = track.entry.pid
        head.stream_id = track.stream_id
        head.timed = False
        head.restarts = restarts
        if track == timer:
            alone = max(gap - 1, 0) // PCR_STEP
            head.timed = gap > 0 or key or restarts or not self.clocked
            if self.clocked and not restarts and gap <= 0:
                # Audio is ahead; a player may start here all the same.
                clock = self.pcr + 1
        elif not riding and (not self.clocked or restarts):
            alone = 1
        elif not riding and gap >= PCR_EARLY:
            alone = (gap + PCR_STEP - 1) // PCR_STEP
        self.entry_at = self.log.log.written
        self.entry_size = (
            (TABLES_BYTES if tables else 0) + <uint32_t>alone * TS_BYTES + pes_packets_bytes(head)
        )
        out = log_reserve(self.log.log, self.entry_size)
        if out == NULL:
            raise MemoryError
        if tables:
            memcpy(out, self.tables_packets, TABLES_BYTES)
            out[3] |= self.tables_counter
            out[TS_BYTES + 3] |= self.tables_counter
            self.tables_counter = (self.tables_counter + 1) & 15
            self.tables_due = False
            self.tables_shown = True
            self.tables_ms = dts_ms
            out += TABLES_BYTES
        for i in range(alone):
            self.pcr = min(self.pcr + PCR_STEP, clock) if self.clocked and not restarts else clock
            self.clocked = True
            write_pcr_packet(out, timer.entry.pid, (timer.counter - 1) & 15, self.pcr, restarts)
            out += TS_BYTES
        if head.timed:
            self.pcr = clock
            self.clocked = True
            head.pcr = clock
        pes_begin(&self.writer, out, &track.counter, head)
        return 0

    cdef int end_entry(self, uint8_t kind, uint8_t flags, int64_t dts_ms) except -1:
        """Show the entry to the log; a picture to start from becomes a place to start."""
        log_commit(self.log.log, self.entry_size, dts_ms, kind, flags)
        self.written = True
        if flags & KEY:
            block = block_new(NULL, 0)
            if block == NULL:
                raise MemoryError
            log_mark_key(self.log.log, self.entry_at, block)
        return 0

    # --- what lies ahead ------------------------------------------------------------------------

    cdef bint announce(self, uint8_t kind, uint8_t flags, const uint8_t* body, uint32_t size) except -1:
        """Look at a tag before its turn; True when it is audio, after which no more need be looked at."""
        cdef Payload payload
        cdef int form
        if kind != TAG_AUDIO or flags & (CONFIG | COMMAND) or not read_payload(kind, body, size, &payload):
            return False
        form = form_of(kind, payload.codec)
        if form != FORM_AAC and form != FORM_OPUS:
            self.check_frame(form, body + payload.at, payload.size)
        return True

    cdef int look_ahead(self, int64_t position) except -1:
        cdef int32_t i
        cdef uint32_t k
        cdef Segment* segment
        cdef Tag* tag
        for i in range(self.source.log.first, self.source.log.first + self.source.log.count):
            segment = self.source.log.segments[i]
            for k in range(<uint32_t>segment.tag_count):
                tag = &segment.tags[k]
                if segment.start + tag.offset >= position and self.announce(
                    tag.kind, tag.flags, segment.bytes + tag.offset + TAG_HEADER_BYTES, tag.size - TAG_FRAME_BYTES
                ):
                    return 0
        return 0


def mux(flv, describe):
    """Return a whole FLV file as MPEG-TS; what lies behind its last whole tag is left out.

    Raises FlvHeaderError when it does not begin with an FLV header.
    """
    cdef Py_buffer view
    cdef const uint8_t* p
    cdef Py_ssize_t at, first
    cdef uint32_t size
    cdef MediaLog log = MediaLog(keep_ms=1 << 60, window_bytes=1 << 60)
    cdef TsMux made = TsMux(MediaLog(), log, describe)
    PyObject_GetBuffer(flv, &view, PyBUF_SIMPLE)
    try:
        p = <const uint8_t*>view.buf
        if view.len < 13 or load_be24(p) != 0x464C56 or p[3] != 1 or load_be32(p + 5) < 9:
            raise FlvHeaderError("no FLV header of version 1", offset=0)
        first = <Py_ssize_t>load_be32(p + 5) + 4
        at = first
        while at + TAG_FRAME_BYTES <= view.len:
            size = load_be24(p + at + 1)
            if at + TAG_FRAME_BYTES + <Py_ssize_t>size > view.len or made.announce(
                p[at], read_traits(p[at], p + at + TAG_HEADER_BYTES, size).flags, p + at + TAG_HEADER_BYTES, size
            ):
                break
            at += TAG_FRAME_BYTES + <Py_ssize_t>size
        if first < view.len:
            made.take_block(p + first, view.len - first)
        made.end()
    finally:
        PyBuffer_Release(&view)
    return log.read(log.tail, log.head)
