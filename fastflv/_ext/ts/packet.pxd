"""Transport packets: a PES in packets of 188 bytes, PCR packets, tables.

Times are 90 kHz ticks that never wrap; they are cut to 33 bits where they are written.
"""

from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t

cdef enum:
    TS_BYTES = 188
    TS_ROOM = 184              # of a packet behind its header
    BRIDGE_BYTES = 4 * 188     # of `write_bridge`, at most
    PES_BYTES_MAX = 65535      # of a PES behind its length field; video may have more, then the field is 0

cdef struct PesHead:
    int64_t pts
    int64_t dts                # equal to pts: not written
    int64_t pcr                # used where `timed`
    uint32_t size              # bytes of the access units
    uint16_t pid
    uint8_t stream_id          # 0xE0 video, 0xC0 MPEG audio, 0xBD others
    bint timed                 # the first packet carries a PCR
    bint restarts              # and the clock does not go on from the one before
    bint random_access         # a decoder can start here

cdef struct PesWriter:
    # A PES under way. Whoever began it puts exactly `size` bytes.
    uint8_t* out               # where the next byte goes; borrowed
    uint32_t room              # bytes left in the packet being filled
    uint32_t left              # bytes for the packets after it
    uint16_t pid
    uint8_t* counter           # continuity counter of the next packet of that PID; borrowed

cdef uint32_t pes_packets_bytes(const PesHead* head) noexcept nogil
cdef void pes_begin(PesWriter* writer, uint8_t* out, uint8_t* counter, const PesHead* head) noexcept nogil
cdef void pes_put(PesWriter* writer, const uint8_t* p, uint32_t n) noexcept nogil
cdef void write_pcr_packet(uint8_t* out, uint16_t pid, uint8_t counter, int64_t pcr, bint restarts) noexcept nogil
cdef void write_gap_packet(uint8_t* out, uint16_t pid, uint8_t counter) noexcept nogil
cdef uint32_t write_bridge(const uint8_t* entry, uint32_t size, uint8_t* out) noexcept nogil
cdef void write_section_packet(uint8_t* out, uint16_t pid, const uint8_t* section, uint32_t size) noexcept nogil
