"""The program of a TS: its tracks, and the tables that announce them."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.ts.packet cimport TS_BYTES
from fastflv._ext.ts.tables cimport SECTION_BYTES_MAX, PmtEntry

cdef enum:
    TABLES_BYTES = 2 * TS_BYTES

cdef enum Form:
    # How the frames of a track are carried; FORM_NONE: not at all.
    FORM_NONE
    FORM_H264
    FORM_HEVC
    FORM_AAC
    FORM_MP3
    FORM_AC3
    FORM_EAC3
    FORM_OPUS

cdef struct ProgramTrack:
    PmtEntry entry             # its entry in the PMT
    int form                   # of its header or newest frame
    uint8_t stream_id          # of its PES
    uint8_t counter            # continuity counter of its next packet
    bint announced             # in the PMT
    bint waiting               # no frame yet: a header alone, or known from the publisher before
    int64_t since_ms           # first entry of the other track since its last frame, ms; -1: none

cdef struct Program:
    ProgramTrack video
    ProgramTrack audio
    uint8_t packets[TABLES_BYTES]    # PAT and PMT with continuity counters 0
    uint32_t made_size         # of the PMT section in them, bytes
    uint8_t sent[SECTION_BYTES_MAX]  # the last PMT section that players were sent
    uint32_t sent_size         # bytes; 0: none yet
    uint8_t version            # of `sent`, 0 to 31
    uint8_t counter            # continuity counter of the next PAT and PMT
    bint due                   # they belong before the next entry
    int64_t pcr                # before which they stood last, 90 kHz

cdef int form_of(uint8_t kind, uint32_t codec) noexcept nogil
cdef int mpeg_audio_type(const uint8_t* frame, uint32_t size) noexcept nogil
cdef void program_begin(Program* program) noexcept nogil
cdef void program_know(Program* program, ProgramTrack* track, int form, uint8_t detail) noexcept nogil
cdef void program_show(Program* program, ProgramTrack* track) noexcept nogil
cdef void program_lose(Program* program, ProgramTrack* track) noexcept nogil
cdef void program_wait(Program* program) noexcept nogil
cdef void program_expire(Program* program, const ProgramTrack* shown, int64_t dts_ms) noexcept nogil
cdef ProgramTrack* program_timer(Program* program) noexcept nogil
cdef void program_sent(Program* program) noexcept nogil
cdef uint8_t* program_write(Program* program, uint8_t* out, int64_t pcr) noexcept nogil
