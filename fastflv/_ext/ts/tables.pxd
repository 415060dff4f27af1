"""PAT and PMT of one program with up to one video and one audio track."""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

cdef enum:
    PROGRAM = 1
    PMT_PID = 0x1000
    VIDEO_PID = 0x100
    AUDIO_PID = 0x101
    SECTION_BYTES_MAX = 183    # what a packet has room for

cdef enum:                     # stream types (ISO 13818-1, table 2-34; ATSC A/53 for AC-3)
    STREAM_MPEG1_AUDIO = 0x03
    STREAM_MPEG2_AUDIO = 0x04
    STREAM_PRIVATE = 0x06
    STREAM_AAC = 0x0F
    STREAM_H264 = 0x1B
    STREAM_HEVC = 0x24
    STREAM_AC3 = 0x81
    STREAM_EAC3 = 0x87

cdef struct PmtEntry:
    # One elementary stream of a PMT.
    uint16_t pid
    uint8_t type               # STREAM_*
    uint8_t opus_channels      # channel_config_code of the Opus descriptor; not 0: it is Opus
    uint32_t registration      # format identifier, 0: no such descriptor

cdef uint32_t write_pat(uint8_t* out) noexcept nogil
cdef uint32_t write_pmt(
    uint8_t* out, uint8_t version, uint16_t pcr_pid, const PmtEntry* entries, int count
) noexcept nogil
