"""MPEG-TS made from the FLV log."""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.mux.remux cimport Remux
from fastflv._ext.syntax.adts cimport AdtsFields
from fastflv._ext.syntax.flvtag cimport Payload
from fastflv._ext.ts.clock cimport Clock
from fastflv._ext.ts.packet cimport TS_BYTES, PesHead, PesWriter
from fastflv._ext.ts.program cimport Program, ProgramTrack


cdef class TsMux(Remux):
    cdef object describe       # see remux.pyi
    cdef Program program
    cdef Clock clock
    cdef int length_size       # of the NAL units of video, bytes
    cdef bytes sets            # parameter sets of video with start codes
    cdef int64_t sets_credit   # bytes of them that may be written
    cdef AdtsFields adts       # of AAC
    # Audio frames for one PES.
    cdef uint8_t* gathered     # owned
    cdef uint32_t gathered_room
    cdef uint32_t gathered_size
    cdef int64_t gathered_ms   # time of the first frame
    # The entry under way.
    cdef PesWriter writer
    cdef int64_t entry_at      # its position in `log`
    cdef uint32_t entry_size   # bytes
    cdef uint8_t gap[4 * TS_BYTES]   # packets that a player that jumps to the entry is sent first
    cdef uint32_t gap_size     # bytes

    cdef int configure(self, uint8_t kind, const Payload* payload, const uint8_t* data) except -1
    cdef int take_video(self, uint8_t flags, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1
    cdef int take_audio(self, int64_t dts_ms, const Payload* payload, const uint8_t* data) except -1
    cdef bint admit(self, int form, const uint8_t* data, uint32_t size) except -1
    cdef uint8_t* gather(self, uint32_t size) except NULL
    cdef int flush_audio(self, bint riding) except -1
    cdef int begin_entry(
        self, ProgramTrack* track, PesHead* head, int64_t dts_ms, int64_t pcr, uint8_t flags, bint riding
    ) except -1
    cdef void note_gap(self) noexcept
    cdef int end_entry(self, uint8_t kind, uint8_t flags, int64_t dts_ms) except -1
    cdef bint announce(self, uint8_t kind, uint8_t flags, const uint8_t* body, uint32_t size) except -1
    cdef int look_ahead(self, int64_t position) except -1
