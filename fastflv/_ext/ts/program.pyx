"""The program of a TS: one video and one audio track, and the tables that announce them.

A track is announced by its sequence header, or by its first frame where the codec has none. An announced track without
a frame within TS_TRACK_LOST_MS is withdrawn.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t
from libc.string cimport memcmp, memcpy

from fastflv._ext.core.octets cimport load_be16
from fastflv._ext.syntax.flvtag cimport AVC1, AVC_ID, HEVC_ID, HVC1, TAG_VIDEO
from fastflv._ext.ts.packet cimport TS_BYTES, write_section_packet
from fastflv._ext.ts.tables cimport (
    AUDIO_PID, PMT_PID, SECTION_BYTES_MAX, STREAM_AAC, STREAM_AC3, STREAM_EAC3, STREAM_H264, STREAM_HEVC,
    STREAM_MPEG1_AUDIO, STREAM_MPEG2_AUDIO, STREAM_PRIVATE, VIDEO_PID, PmtEntry, write_pat, write_pmt,
)

from fastflv import limits

cdef int64_t LOST_MS = limits.TS_TRACK_LOST_MS
cdef int64_t SILENT_MS = limits.TRACK_LOST_MS

cdef enum:                     # stream IDs of PES (ISO 13818-1, table 2-22)
    PES_VIDEO = 0xE0
    PES_AUDIO = 0xC0
    PES_PRIVATE = 0xBD

cdef enum:                     # FourCCs, and format identifiers of registration descriptors
    MP4A = 0x6D703461
    DOT_MP3 = 0x2E6D7033
    AC_3 = 0x61632D33
    EC_3 = 0x65632D33
    OPUS = 0x4F707573
    REGISTERED_AC3 = 0x41432D33
    REGISTERED_EAC3 = 0x45414333
    REGISTERED_HEVC = 0x48455643


cdef int form_of(uint8_t kind, uint32_t codec) noexcept nogil:
    """Return how a codec of flvtag.Payload is carried, FORM_NONE where it is not."""
    if kind == TAG_VIDEO:
        if codec == AVC_ID or codec == AVC1:
            return FORM_H264
        return FORM_HEVC if codec == HEVC_ID or codec == HVC1 else FORM_NONE
    if codec == 10 or codec == MP4A:
        return FORM_AAC
    if codec == 2 or codec == 14 or codec == DOT_MP3:
        return FORM_MP3
    if codec == AC_3:
        return FORM_AC3
    if codec == EC_3:
        return FORM_EAC3
    return FORM_OPUS if codec == OPUS else FORM_NONE


cdef int mpeg_audio_type(const uint8_t* frame, uint32_t size) noexcept nogil:
    """Return the stream type of an MPEG audio frame, 0 without a valid header (ISO 11172-3, 2.4.1.3)."""
    if size < 4 or load_be16(frame) & 0xFFE0 != 0xFFE0 or not frame[1] & 0x06:
        return 0
    return STREAM_MPEG1_AUDIO if frame[1] & 0x18 == 0x18 else STREAM_MPEG2_AUDIO


cdef void program_begin(Program* program) noexcept nogil:
    """Initialise a program that is all zero."""
    program.video.entry.pid = VIDEO_PID
    program.audio.entry.pid = AUDIO_PID


cdef void describe_track(ProgramTrack* track, uint8_t detail) noexcept nogil:
    track.entry.opus_channels = 0
    track.entry.registration = 0
    track.stream_id = PES_PRIVATE
    if track.form == FORM_H264:
        track.entry.type = STREAM_H264
        track.stream_id = PES_VIDEO
    elif track.form == FORM_HEVC:
        track.entry.type = STREAM_HEVC
        track.entry.registration = REGISTERED_HEVC
        track.stream_id = PES_VIDEO
    elif track.form == FORM_AAC:
        track.entry.type = STREAM_AAC
        track.stream_id = PES_AUDIO
    elif track.form == FORM_MP3:
        track.entry.type = detail
        track.stream_id = PES_AUDIO
    elif track.form == FORM_AC3:
        track.entry.type = STREAM_AC3
        track.entry.registration = REGISTERED_AC3
    elif track.form == FORM_EAC3:
        track.entry.type = STREAM_EAC3
        track.entry.registration = REGISTERED_EAC3
    elif track.form == FORM_OPUS:
        track.entry.type = STREAM_PRIVATE
        track.entry.registration = OPUS
        track.entry.opus_channels = detail


cdef void make_tables(Program* program) noexcept nogil:
    """Write the tables anew; the version rises when they differ from those that players were sent."""
    cdef uint8_t section[SECTION_BYTES_MAX]
    cdef PmtEntry entries[2]
    cdef int count = 0
    cdef uint32_t size
    cdef uint16_t timer
    if program.video.announced:
        entries[count] = program.video.entry
        count += 1
    if program.audio.announced:
        entries[count] = program.audio.entry
        count += 1
    if count == 0:
        # No tables are written until a track is announced.
        return
    timer = entries[0].pid
    size = write_pmt(section, program.version, timer, entries, count)
    if size != program.sent_size or memcmp(section, program.sent, size):
        program.due = True
        if program.sent_size:
            size = write_pmt(section, (program.version + 1) & 31, timer, entries, count)
    program.made_size = size
    write_section_packet(program.packets + TS_BYTES, PMT_PID, section, size)
    size = write_pat(section)
    write_section_packet(program.packets, 0, section, size)


cdef void program_know(Program* program, ProgramTrack* track, int form, uint8_t detail) noexcept nogil:
    """Announce a track as *form*, before its first frame.

    *detail*: channel_config_code of Opus, stream type of MPEG audio, else 0.
    """
    track.form = form
    describe_track(track, detail)
    if not track.announced:
        track.announced = True
        track.waiting = True
        track.since_ms = -1
    make_tables(program)


cdef void program_show(Program* program, ProgramTrack* track) noexcept nogil:
    """Note a frame of a configured track."""
    track.waiting = False
    track.since_ms = -1
    if not track.announced:
        track.announced = True
        make_tables(program)


cdef void program_lose(Program* program, ProgramTrack* track) noexcept nogil:
    """Withdraw a track whose codec TS cannot carry."""
    track.form = FORM_NONE
    track.announced = False
    make_tables(program)


cdef void program_wait(Program* program) noexcept nogil:
    """Note that the publisher left: the next one may have other tracks."""
    program.video.waiting = True
    program.video.since_ms = -1
    program.audio.waiting = True
    program.audio.since_ms = -1


cdef void expire_track(Program* program, ProgramTrack* track, int64_t dts_ms) noexcept nogil:
    if track.announced:
        if track.since_ms < 0 or track.since_ms > dts_ms:
            track.since_ms = dts_ms
        elif dts_ms - track.since_ms > (LOST_MS if track.waiting else SILENT_MS):
            track.announced = False
            make_tables(program)


cdef void program_expire(Program* program, const ProgramTrack* shown, int64_t dts_ms) noexcept nogil:
    """Note an entry of *shown*; withdraw the other track when it has been silent for too long."""
    if shown != &program.video:
        expire_track(program, &program.video, dts_ms)
    if shown != &program.audio:
        expire_track(program, &program.audio, dts_ms)


cdef ProgramTrack* program_timer(Program* program) noexcept nogil:
    """Return the track whose PID carries the PCR."""
    return &program.video if program.video.announced else &program.audio


cdef void program_sent(Program* program) noexcept nogil:
    """Note that players are sent the present tables: a later change takes another version."""
    program.sent_size = program.made_size
    memcpy(program.sent, program.packets + TS_BYTES + 5, program.sent_size)
    program.version = (program.sent[5] >> 1) & 31


cdef uint8_t* program_write(Program* program, uint8_t* out, int64_t pcr) noexcept nogil:
    """Write TABLES_BYTES of PAT and PMT, behind the PCR *pcr*; return the address behind them."""
    memcpy(out, program.packets, TABLES_BYTES)
    out[3] |= program.counter
    out[TS_BYTES + 3] |= program.counter
    program.counter = (program.counter + 1) & 15
    program.due = False
    program.pcr = pcr
    program_sent(program)
    return out + TABLES_BYTES
