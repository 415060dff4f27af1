"""ADTS: the header that makes a raw AAC frame readable by itself."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    ADTS_BYTES = 7             # header without CRC
    ADTS_FRAME_MAX = 8191      # header and frame: the length has 13 bits
    PROGRAM_MAX = 64           # a program config element without comment has at most 50 bytes

cdef struct AdtsFields:
    uint8_t object_type        # 1 Main, 2 LC, 3 SSR, 4 LTP
    uint8_t rate_index         # 0 (96 kHz) to 12 (7,350 Hz)
    uint8_t channel_config     # 0 to 7
    uint8_t program[PROGRAM_MAX]   # with 0: the program config element, from its 3 bits of id on, in whole bytes
    uint8_t program_size       # bytes; 0: the frames bring it, or need none

cdef struct AdtsFrame:
    # One frame as it stands in a run of bytes; the pointer is borrowed from the run.
    const uint8_t* data        # raw AAC frame
    uint32_t size              # of it, bytes
    uint32_t rate              # Hz

cdef inline bint is_program(const uint8_t* frame) noexcept nogil:
    # Whether a raw frame begins with a program config element: id_syn_ele 5 in its first 3 bits.
    return frame[0] >> 5 == 5

cdef bint is_adts(const uint8_t* p, Py_ssize_t n) noexcept nogil
cdef bint next_adts(const uint8_t* p, Py_ssize_t n, Py_ssize_t* at, AdtsFrame* out) noexcept nogil
cdef bint set_adts(AdtsFields* fields, int object_type, int rate_index, int channel_config, bytes program) noexcept
cdef uint32_t adts_size(const AdtsFields* fields, const uint8_t* frame, uint32_t size) noexcept nogil
cdef void write_adts(uint8_t* out, const AdtsFields* fields, const uint8_t* frame, uint32_t size) noexcept nogil
