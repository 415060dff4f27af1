"""ADTS: the header that makes a raw AAC frame readable by itself."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    ADTS_BYTES = 7             # header without CRC
    ADTS_FRAME_MAX = 8191      # header and frame: the length has 13 bits

cdef struct AdtsFields:
    uint8_t object_type        # 1 Main, 2 LC, 3 SSR, 4 LTP
    uint8_t rate_index         # 0 (96 kHz) to 12 (7,350 Hz)
    uint8_t channel_config     # 1 to 7

cdef bint adts_fits(uint32_t frame_size) noexcept nogil
cdef void write_adts(uint8_t* out, const AdtsFields* fields, uint32_t frame_size) noexcept nogil
