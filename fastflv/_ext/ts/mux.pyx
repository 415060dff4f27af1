"""MPEG-TS made from the FLV log; each frame is written once, into the bytes that players are sent.

An entry of the log is one PES with the tables and PCR packets before it. A picture is one PES; audio frames are
gathered up to the next picture. An entry with KEY begins with the tables.

Spec: ISO 13818-1, 2.4 (packets, PES), 2.14 (H.264), 2.17 (HEVC); ETSI TS 102 366, annex A (AC-3, E-AC-3); Opus in
MPEG-2 TS.
"""

cimport cython
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memset

from fastflv._ext.core.atomics cimport load32_relaxed, store32_release
from fastflv._ext.core.octets cimport load_be16
from fastflv._ext.log.block cimport block_new
from fastflv._ext.log.log cimport log_commit, log_mark_key, log_reserve
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.log.page cimport Page, Tag
from fastflv._ext.mux.remux cimport Remux
from fastflv._ext.syntax.adts cimport adts_size, set_adts, write_adts
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, DISPOSABLE, KEY, TAG_AUDIO, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_VIDEO, Payload, read_payload,
)
from fastflv._ext.syntax.nalu cimport (
    START_CODE_BYTES, UNIT_AUD, UNIT_IRAP, UNIT_PPS, UNIT_SPS, UNIT_VPS, Units, next_unit, scan_units,
)
from fastflv._ext.ts.clock cimport (
    Beat, clock_for_audio, clock_for_picture, clock_picture, clock_plan, clock_tick, ticks_of,
)
from fastflv._ext.ts.packet cimport (
    BRIDGE_BYTES, PES_BYTES_MAX, TS_BYTES, pes_begin, pes_packets_bytes, pes_put, write_bridge, write_gap_packet,
    write_pcr_packet,
)
from fastflv._ext.ts.program cimport (
    FORM_AAC, FORM_HEVC, FORM_MP3, FORM_NONE, FORM_OPUS, TABLES_BYTES, form_of, mpeg_audio_type, program_begin,
    program_expire, program_know, program_lose, program_show, program_sent, program_timer, program_wait, program_write,
)
from fastflv._ext.ts.programstate cimport program_state, restore_program
from fastflv._ext.ts.tables cimport PMT_PID

from fastflv import limits

cdef int64_t AUDIO_MS = limits.TS_AUDIO_MS
cdef int64_t TABLES_STEP = limits.TS_TABLES_MS * 90
cdef int64_t SETS_CREDIT = limits.TS_SETS_CREDIT_BYTES
cdef int64_t SETS_SHARE = limits.TS_SETS_SHARE
cdef int64_t BRIDGE_TABLES = limits.TS_TABLES_MS // limits.TS_PCR_MS   # PCR packets from tables to tables

cdef enum:
    GATHERED_MAX = PES_BYTES_MAX - 8   # what a PES with a length has room for
    GATHERED_FIRST = 4096
    OPUS_PREFIX = 0x7FE0       # of an access unit: no trimming, no extension

cdef const uint8_t* AUD_H264 = b"\0\0\0\1\x09\xf0"
cdef const uint8_t* AUD_HEVC = b"\0\0\0\1\x46\x01\x50"
cdef const uint8_t* START_CODE = b"\0\0\0\1"


@cython.final
cdef class TsMux(Remux):
    """MPEG-TS from FLV tags: the default track of video and of audio.

    *describe* reads sequence headers (see fastflv.containers.mpegts). Broken frames and codecs that TS cannot carry are
    left out and counted in `skipped`.
    """

    def __cinit__(self):
        program_begin(&self.program)
        self.sets = b""
        self.sets_credit = SETS_CREDIT

    def __init__(self, MediaLog source not None, MediaLog log not None, describe):
        Remux.__init__(self, source, log)
        self.carries_video = False
        self.describe = describe
        log.log.bridge = write_bridge
        log.log.bridge_bytes = BRIDGE_BYTES

    def __dealloc__(self):
        free(self.gathered)

    def tables(self):
        """Return PAT and PMT for a player that starts at the head, b"" while no track is known.

        The next tables in the log go on with the continuity counter behind theirs.
        """
        cdef uint8_t counter = (self.program.counter - 1) & 15
        if not program_timer(&self.program).announced:
            return b""
        program_sent(&self.program)
        packets = bytearray(self.program.packets[:TABLES_BYTES])
        packets[3] |= counter
        packets[TS_BYTES + 3] |= counter
        return bytes(packets)

    def headers(self, bytes tags not None):
        """Return the tables, whatever *tags* are: each entry with KEY repeats the parameter sets."""
        return self.tables()

    def begin(self, bytes headers not None, int64_t position):
        """As in Remux; audio without a sequence header is announced in the first tables too."""
        self.look_ahead(position)
        Remux.begin(self, headers, position)

    def state(self):
        """As in Remux: the tables, their versions, continuity counters and the clock. Gathered audio is written."""
        self.flush_audio(False)
        if self.written:
            self.written = False
            self.log.publish(True)
        return {"program": program_state(&self.program), "clock": self.clock, "sets_credit": self.sets_credit}

    def resume(self, bytes headers not None, dict state not None):
        """As in Remux; the sequence headers bring the rest."""
        cdef Clock clock = state["clock"]
        self.take_block(headers, len(headers), self.source.log.head_dts)
        restore_program(&self.program, state["program"])
        self.clock = clock
        self.sets_credit = min(<int64_t>state["sets_credit"], SETS_CREDIT)
        Remux.resume(self, headers, state)

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        cdef Payload payload
        if (kind != TAG_VIDEO and kind != TAG_AUDIO) or flags & COMMAND:
            return 0
        if not read_payload(kind, body, size, &payload):
            self.skipped += 1
        elif flags & CONFIG:
            # Headers of other kinds (channel layout, MPEG-2 TS form) are not needed.
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
        cdef bint has_video = load32_relaxed(&self.source.log.has_video) and self.program.video.announced
        store32_release(&self.log.log.has_video, 1 if has_video else 0)
        if not has_video:
            self.flush_audio(False)
        return 0

    cdef int forget_key(self) except -1:
        self.flush_audio(False)
        if self.written:
            self.written = False
            self.log.publish(True)
        program_wait(&self.program)
        Remux.forget_key(self)
        return 0

    cdef int end(self) except -1:
        self.flush_audio(False)
        Remux.end(self)
        return 0

    cdef int configure(self, uint8_t kind, const Payload* payload, const uint8_t* data) except -1:
        """Take a sequence header; a codec that TS cannot carry ends its track."""
        cdef int form = form_of(kind, payload.codec)
        cdef ProgramTrack* track = &self.program.video if kind == TAG_VIDEO else &self.program.audio
        setup = None
        if form != FORM_NONE:
            setup = self.describe(kind, payload.codec, data[:payload.size])
        if kind == TAG_AUDIO:
            self.flush_audio(False)
        if setup is None:
            self.skipped += 1
            program_lose(&self.program, track)
            return 0
        if kind == TAG_VIDEO:
            self.length_size = setup.length_size
            self.sets = setup.sets
        elif form == FORM_AAC:
            set_adts(&self.adts, setup.object_type, setup.rate_index, setup.channels, setup.program)
        program_know(&self.program, track, form, setup.channels if form == FORM_OPUS else 0)
        return 0

    # --- frames ---------------------------------------------------------------------------------

    cdef int take_video(self, uint8_t flags, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1:
        cdef int form = form_of(TAG_VIDEO, payload.codec)
        cdef bint hevc = form == FORM_HEVC
        cdef bint key = (flags & KEY) != 0
        cdef uint32_t wanted = (UNIT_VPS | UNIT_SPS | UNIT_PPS) if hevc else (UNIT_SPS | UNIT_PPS)
        cdef uint32_t sets = 0
        cdef uint32_t delimiter = 0
        cdef uint32_t size = 0
        cdef Py_ssize_t at = 0
        cdef const uint8_t* unit = NULL
        cdef const uint8_t* sets_bytes = self.sets
        cdef Units units
        cdef PesHead head
        if form == FORM_NONE or form != self.program.video.form:
            self.skipped += 1
            return 0
        if not scan_units(data, payload.size, self.length_size, hevc, &units):
            self.skipped += 1
            return 0
        if not units.found & UNIT_AUD:
            delimiter = 7 if hevc else 6
        if (key or units.found & UNIT_IRAP) and units.found & wanted != wanted:
            sets = <uint32_t>len(self.sets)
        self.sets_credit = min(self.sets_credit - sets + SETS_SHARE * <int64_t>payload.size, SETS_CREDIT)
        if self.sets_credit < 0:
            # Keyframes much smaller than their parameter sets: this one is no start.
            self.sets_credit += sets
            sets = 0
            key = False
            flags &= <uint8_t>~KEY
        program_show(&self.program, &self.program.video)
        self.flush_audio(True)
        clock_picture(&self.clock, dts_ms, payload.cts_ms, &head.dts, &head.pts)
        head.size = delimiter + sets + units.size
        head.random_access = key
        self.begin_entry(
            &self.program.video, &head, dts_ms, clock_for_picture(&self.clock, dts_ms), flags, False
        )
        if delimiter:
            pes_put(&self.writer, AUD_HEVC if hevc else AUD_H264, delimiter)
            pes_put(&self.writer, sets_bytes, sets)
        while at < units.end:
            next_unit(data, payload.size, self.length_size, &at, &unit, &size)
            if size:
                pes_put(&self.writer, START_CODE, START_CODE_BYTES)
                pes_put(&self.writer, unit, size)
                if not delimiter:
                    # The delimiter was the first unit: parameter sets belong behind it.
                    pes_put(&self.writer, sets_bytes, sets)
                    sets = 0
        return self.end_entry(TAG_VIDEO, flags, dts_ms)

    cdef bint admit(self, int form, const uint8_t* data, uint32_t size) except -1:
        """Return whether an audio frame can be carried; it configures a codec that has no sequence header."""
        cdef int detail = 0
        if form == FORM_AAC:
            return self.program.audio.form == FORM_AAC and adts_size(&self.adts, data, size) > 0
        if form == FORM_OPUS:
            return self.program.audio.form == FORM_OPUS and size > 0
        if form == FORM_NONE:
            return False
        if form == FORM_MP3:
            detail = mpeg_audio_type(data, size)
            if detail == 0:
                return False
        elif size < 4 or load_be16(data) != 0x0B77:
            return False
        if form != self.program.audio.form or (detail and detail != self.program.audio.entry.type):
            self.flush_audio(False)
            program_know(&self.program, &self.program.audio, form, <uint8_t>detail)
        return True

    cdef int take_audio(self, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1:
        """Gather a frame with its header for the next audio PES."""
        cdef int form = form_of(TAG_AUDIO, payload.codec)
        cdef Payload header
        cdef uint32_t size = payload.size
        cdef uint8_t* out
        if form == FORM_OPUS and self.program.audio.form != FORM_OPUS:
            # Opus may come without a sequence header; then it is stereo (Enhanced RTMP v2).
            header = payload[0]
            header.size = 0
            self.configure(TAG_AUDIO, &header, data)
        if form == FORM_AAC:
            size = adts_size(&self.adts, data, size)
        elif form == FORM_OPUS:
            size += 3 + size // 255
        if size > GATHERED_MAX or not self.admit(form, data, payload.size):
            self.skipped += 1
            return 0
        if self.gathered_size and not (
            0 <= dts_ms - self.gathered_ms < AUDIO_MS and self.gathered_size + size <= GATHERED_MAX
        ):
            self.flush_audio(False)
        program_show(&self.program, &self.program.audio)
        if self.gathered_size == 0:
            self.gathered_ms = dts_ms
        self.clock.heard = True
        self.clock.audio_ms = dts_ms
        out = self.gather(size)
        if form == FORM_AAC:
            write_adts(out, &self.adts, data, payload.size)
            return 0
        if form == FORM_OPUS:
            out[0] = OPUS_PREFIX >> 8
            out[1] = OPUS_PREFIX & 0xFF
            memset(out + 2, 0xFF, payload.size // 255)
            out[2 + payload.size // 255] = payload.size % 255
        memcpy(out + size - payload.size, data, payload.size)
        return 0

    cdef uint8_t* gather(self, uint32_t size) except NULL:
        """Return where the next *size* bytes of gathered audio go."""
        cdef uint32_t at = self.gathered_size
        cdef uint32_t room
        cdef uint8_t* grown
        if at + size > self.gathered_room:
            room = max(at + size, max(2 * self.gathered_room, <uint32_t>GATHERED_FIRST))
            grown = <uint8_t*>realloc(self.gathered, room)
            if grown == NULL:
                raise MemoryError
            self.gathered = grown
            self.gathered_room = room
        self.gathered_size = at + size
        return self.gathered + at

    cdef int flush_audio(self, bint riding) except -1:
        """Write the gathered frames as one PES. *riding*: a picture follows in the same pass."""
        cdef PesHead head
        cdef int64_t pcr
        if self.gathered_size == 0:
            return 0
        head.pts = ticks_of(self.gathered_ms)
        head.dts = head.pts
        head.size = self.gathered_size
        head.random_access = False
        pcr = clock_for_audio(&self.clock, self.gathered_ms, not self.program.video.announced)
        self.begin_entry(&self.program.audio, &head, self.gathered_ms, pcr, 0, riding)
        pes_put(&self.writer, self.gathered, self.gathered_size)
        self.gathered_size = 0
        return self.end_entry(TAG_AUDIO, 0, self.gathered_ms)

    # --- entries --------------------------------------------------------------------------------

    cdef int begin_entry(
        self, ProgramTrack* track, PesHead* head, int64_t dts_ms, int64_t pcr, uint8_t flags, bint riding
    ) except -1:
        """Write an entry up to the data of its PES. *pcr*: the PCR that suits it (see clock_plan)."""
        cdef bint key = (flags & KEY) != 0
        cdef Program* program = &self.program
        cdef ProgramTrack* timer
        cdef Beat beat
        cdef int64_t i
        cdef uint32_t tables
        cdef uint8_t* out
        if not riding:
            # A picture follows: the time of audio before it begins no silence of video.
            program_expire(program, track, dts_ms)
        if key:
            self.note_gap()
        timer = program_timer(program)
        clock_plan(&self.clock, pcr, track == timer, key, riding, &beat)
        # The first tables may stand before audio that runs ahead of the first PCR.
        program.pcr = min(program.pcr, beat.pcr)
        tables = key or program.due or beat.restarts or (
            # Disposable entries are left out for lagging players, so they hold no tables.
            beat.pcr - program.pcr >= TABLES_STEP and not flags & DISPOSABLE
        )
        # PCR packets that bridge a silence have tables between them.
        tables += <uint32_t>(beat.alone // BRIDGE_TABLES)
        head.pid = track.entry.pid
        head.stream_id = track.stream_id
        head.timed = beat.timed
        head.restarts = beat.restarts
        self.entry_at = self.log.log.written
        self.entry_size = tables * TABLES_BYTES + <uint32_t>beat.alone * TS_BYTES + pes_packets_bytes(head)
        out = log_reserve(self.log.log, self.entry_size)
        if out == NULL:
            raise MemoryError
        if tables > beat.alone // BRIDGE_TABLES:
            out = program_write(program, out, self.clock.pcr if self.clock.started and not beat.restarts else beat.pcr)
        for i in range(1, beat.alone + 1):
            write_pcr_packet(
                out, timer.entry.pid, (timer.counter - 1) & 15, clock_tick(&self.clock, &beat), beat.restarts
            )
            out += TS_BYTES
            if i % BRIDGE_TABLES == 0:
                out = program_write(program, out, self.clock.pcr)
        if beat.timed:
            head.pcr = clock_tick(&self.clock, &beat)
        pes_begin(&self.writer, out, &track.counter, head)
        return 0

    cdef void note_gap(self) noexcept:
        """Make the packets for players that jump to the new entry: continuity counters are discontinuous (2.4.3.5)."""
        cdef uint8_t* out = self.gap
        write_gap_packet(out, 0, (self.program.counter - 1) & 15)
        write_gap_packet(out + TS_BYTES, PMT_PID, (self.program.counter - 1) & 15)
        self.gap_size = TABLES_BYTES
        if self.program.video.announced:
            write_gap_packet(out + self.gap_size, self.program.video.entry.pid, (self.program.video.counter - 1) & 15)
            self.gap_size += TS_BYTES
        if self.program.audio.announced:
            write_gap_packet(out + self.gap_size, self.program.audio.entry.pid, (self.program.audio.counter - 1) & 15)
            self.gap_size += TS_BYTES

    cdef int end_entry(self, uint8_t kind, uint8_t flags, int64_t dts_ms) except -1:
        """Commit the entry; one with KEY becomes a start for players."""
        log_commit(self.log.log, self.entry_size, dts_ms, kind, flags)
        self.written = True
        if flags & KEY:
            block = block_new(self.gap, self.gap_size)
            if block == NULL:
                raise MemoryError
            log_mark_key(self.log.log, self.entry_at, block)
        return 0

    # --- look-ahead -----------------------------------------------------------------------------

    cdef bint announce(self, uint8_t kind, uint8_t flags, const uint8_t* body, uint32_t size) except -1:
        """Look at a tag before it is taken; True for an audio frame, the last that needs a look."""
        cdef Payload payload
        cdef int form
        if kind != TAG_AUDIO or flags & (CONFIG | COMMAND) or not read_payload(kind, body, size, &payload):
            return False
        form = form_of(kind, payload.codec)
        if form != FORM_AAC and form != FORM_OPUS:
            self.admit(form, body + payload.at, payload.size)
        return True

    cdef int look_ahead(self, int64_t position) except -1:
        """Announce the audio that the source has from *position* on."""
        cdef int32_t i
        cdef uint32_t k
        cdef Page* page
        cdef Tag* tag
        for i in range(self.source.log.first, self.source.log.first + self.source.log.count):
            page = self.source.log.pages[i]
            for k in range(<uint32_t>page.tag_count):
                tag = &page.tags[k]
                if page.start + tag.offset >= position and self.announce(
                    tag.kind, tag.flags, page.bytes + tag.offset + TAG_HEADER_BYTES, tag.size - TAG_FRAME_BYTES
                ):
                    return 0
        return 0
