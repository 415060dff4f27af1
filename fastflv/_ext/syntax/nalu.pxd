"""NAL units of one access unit: from length prefixes to start codes."""

from libc.stdint cimport uint8_t, uint32_t

cdef enum:
    START_CODE_BYTES = 4

cdef enum:                     # bits of Units.found
    UNIT_AUD = 1               # the first unit is an access unit delimiter
    UNIT_VPS = 2
    UNIT_SPS = 4
    UNIT_PPS = 8
    UNIT_IRAP = 16             # a picture that starts a sequence: IDR, or IRAP of HEVC

cdef enum UnitRole:            # place of a unit in its access unit
    ROLE_SLICE                 # coded picture
    ROLE_DELIMITER             # first of all
    ROLE_BEFORE                # parameter sets, SEI: before the slices of their picture
    ROLE_AFTER                 # ends, filler: behind the slices
    ROLE_OTHER                 # reserved, unspecified, of other layers

cdef struct Units:
    uint32_t size              # of all units, each with a start code, bytes
    uint32_t count             # units that are not empty
    uint32_t found             # UNIT_*
    uint32_t roles             # 1 << ROLE_* of each unit
    Py_ssize_t end             # offset behind the last whole unit

# length_size: bytes of the length in front of each unit, 1 to 4; 0: there are start codes already.
cdef bint scan_units(const uint8_t* p, Py_ssize_t n, int length_size, bint hevc, Units* out) noexcept nogil
cdef bint next_unit(
    const uint8_t* p, Py_ssize_t n, int length_size, Py_ssize_t* at, const uint8_t** unit, uint32_t* size
) noexcept nogil
cdef uint32_t kind_of(uint8_t first, bint hevc, bint leads) noexcept nogil
cdef UnitRole role_of(uint8_t first, bint hevc) noexcept nogil
cdef bint is_recovery_point(const uint8_t* unit, uint32_t size, bint hevc) noexcept nogil
