"""MPEG-TS made from the FLV log."""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

from fastflv._ext.adts cimport AdtsFields
from fastflv._ext.flvtag cimport Payload
from fastflv._ext.remux cimport Remux
from fastflv._ext.tspacket cimport TS_BYTES, PesHead, PesWriter
from fastflv._ext.tstables cimport SECTION_BYTES_MAX, Entry

cdef enum Form:
    # How the frames of a track are carried; 0: not at all.
    FORM_NONE
    FORM_H264
    FORM_HEVC
    FORM_AAC
    FORM_MP3
    FORM_AC3
    FORM_EAC3
    FORM_OPUS

cdef struct Track:
    Entry entry                # what the PMT says of it
    int form                   # of its header or newest frame
    uint8_t stream_id          # of its PES
    uint8_t counter            # continuity counter of its next packet
    bint announced             # it stands in the PMT
    bint waiting               # it shows no frame yet: a header alone, or known from the publisher before
    int64_t since_ms           # time from which it is waited for, -1: from the next entry on


cdef class TsMux(Remux):
    cdef object describe       # see tsmux.pyi
    cdef Track video
    cdef Track audio
    cdef int length_size       # of the NAL units of `video`, bytes
    cdef bytes sets            # its parameter sets with start codes
    cdef AdtsFields adts       # of `audio`
    # Tables: two packets with counters 0, and the section in the second.
    cdef uint8_t tables_packets[2 * TS_BYTES]
    cdef uint8_t section[SECTION_BYTES_MAX]
    cdef uint32_t section_size  # 0: no tables yet
    cdef uint8_t version       # of the PMT, 0 to 31
    cdef uint8_t tables_counter  # continuity counter of the next PAT and PMT
    cdef bint tables_due       # they belong before the next entry
    cdef bint tables_shown     # players have seen them
    cdef int64_t tables_ms     # time of the entry that they stood before last
    # Clock.
    cdef bint clocked          # a PCR was written
    cdef int64_t pcr           # the last one, 90 kHz
    cdef int64_t video_dts     # of the last picture, 90 kHz; below all others: none
    cdef int64_t shift         # pictures are decoded this much before their FLV time, for negative offsets; 90 kHz
    cdef int64_t audio_ms      # time of the newest audio frame
    cdef int64_t lag_ms        # audio was ahead of video by this at the last picture, 0 or more
    # Audio frames for one PES.
    cdef uint8_t* gathered     # owned
    cdef uint32_t gathered_room
    cdef uint32_t gathered_size
    cdef int64_t gathered_ms   # time of the first frame
    # The entry under way.
    cdef PesWriter writer
    cdef int64_t entry_at      # its position in `log`
    cdef uint32_t entry_size

    cdef int configure(self, uint8_t kind, const Payload* payload, const uint8_t* body) except -1
    cdef int take_video(self, uint8_t flags, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1
    cdef int take_audio(self, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1
    cdef bint check_frame(self, int form, const uint8_t* data, uint32_t size) except -1
    cdef bint announce(self, uint8_t kind, uint8_t flags, const uint8_t* body, uint32_t size) except -1
    cdef int look_ahead(self, int64_t position) except -1
    cdef int flush_audio(self, bint riding) except -1
    cdef void know(self, Track* track, int form, uint8_t opus_channels) noexcept
    cdef void show(self, Track* track) noexcept
    cdef void expire(self, Track* track, int64_t dts_ms) noexcept
    cdef void remake_tables(self) noexcept
    cdef void stamp_video(self, int64_t dts_ms, int64_t cts_ms, PesHead* head) noexcept
    cdef int begin_entry(
        self, Track* track, PesHead* head, int64_t dts_ms, int64_t clock, bint key, bint riding
    ) except -1
    cdef int end_entry(self, uint8_t kind, uint8_t flags, int64_t dts_ms) except -1
