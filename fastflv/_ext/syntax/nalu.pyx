"""NAL units of one access unit.

Spec: ISO 14496-15, 5.3.2 (lengths); H.264 annex B and H.265 annex B (start codes), table 7-1 of each (types), 7.4.1.2.3
and 7.4.2.4.4 (order of units), D.1 (SEI).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from fastflv._ext.core.octets cimport load_be16, load_be24, load_be32, store_be32


cdef bint next_coded(
    const uint8_t* p, Py_ssize_t n, Py_ssize_t* at, const uint8_t** unit, uint32_t* size
) noexcept nogil:
    """`next_unit` for units between start codes (annex B); zeros around a start code belong to no unit."""
    cdef Py_ssize_t start, end
    start = at[0]
    while start + 3 <= n and load_be24(p + start) != 1:
        start += 1
    if start + 3 > n:
        at[0] = n
        size[0] = 0
        return True
    start += 3
    end = start
    while end < n and not (end + 3 <= n and load_be24(p + end) <= 1):
        end += 1
    at[0] = end
    while end > start and p[end - 1] == 0:
        end -= 1
    unit[0] = p + start
    size[0] = <uint32_t>(end - start)
    return True


cdef bint next_unit(
    const uint8_t* p, Py_ssize_t n, int length_size, Py_ssize_t* at, const uint8_t** unit, uint32_t* size
) noexcept nogil:
    """Read the unit at offset *at*, below *n*, and step behind it; False when it ends behind *n*.

    *unit* points into *p*; a *size* of 0 is no unit.
    """
    cdef uint32_t length
    if length_size == 0:
        return next_coded(p, n, at, unit, size)
    if n - at[0] < length_size:
        return False
    if length_size == 4:
        length = load_be32(p + at[0])
    elif length_size == 3:
        length = load_be24(p + at[0])
    elif length_size == 2:
        length = load_be16(p + at[0])
    else:
        length = p[at[0]]
    at[0] += length_size
    if <Py_ssize_t>length > n - at[0]:
        return False
    unit[0] = p + at[0]
    size[0] = length
    at[0] += length
    return True


cdef uint32_t kind_of(uint8_t first, bint hevc, bint leads) noexcept nogil:
    """Return the UNIT_* bit of a unit by its first byte, 0 for all others."""
    cdef int kind
    if hevc:
        kind = (first >> 1) & 63
        if 16 <= kind <= 23:
            return UNIT_IRAP
        if kind == 32:
            return UNIT_VPS
        if kind == 33:
            return UNIT_SPS
        if kind == 34:
            return UNIT_PPS
        return UNIT_AUD if kind == 35 and leads else 0
    kind = first & 31
    if kind == 5:
        return UNIT_IRAP
    if kind == 7:
        return UNIT_SPS
    if kind == 8:
        return UNIT_PPS
    return UNIT_AUD if kind == 9 and leads else 0


cdef UnitRole role_of(uint8_t first, bint hevc) noexcept nogil:
    """Return where a unit stands in its access unit, by its first byte."""
    cdef int kind
    if hevc:
        kind = (first >> 1) & 63
        if kind < 32:
            return ROLE_SLICE
        if kind == 35:
            return ROLE_DELIMITER
        if kind <= 34 or kind == 39:
            return ROLE_BEFORE
        return ROLE_AFTER if kind <= 38 or kind == 40 else ROLE_OTHER
    kind = first & 31
    if 1 <= kind <= 5:
        return ROLE_SLICE
    if kind == 9:
        return ROLE_DELIMITER
    if 6 <= kind <= 8 or 13 <= kind <= 15:
        return ROLE_BEFORE
    return ROLE_AFTER if 10 <= kind <= 12 else ROLE_OTHER


cdef struct SeiBytes:
    const uint8_t* data        # borrowed
    uint32_t at
    uint32_t size
    int zeros                  # before `at`


cdef int next_sei_byte(SeiBytes* sei) noexcept nogil:
    """Return the next byte without emulation prevention, -1 at the end."""
    if sei.zeros >= 2 and sei.at < sei.size and sei.data[sei.at] == 3:
        sei.at += 1
        sei.zeros = 0
    if sei.at >= sei.size:
        return -1
    sei.zeros = sei.zeros + 1 if sei.data[sei.at] == 0 else 0
    sei.at += 1
    return sei.data[sei.at - 1]


cdef int64_t sei_number(SeiBytes* sei) noexcept nogil:
    """Read a payload type or size, -1 at the end: each 255 adds to the byte that follows."""
    cdef int64_t number = 0
    cdef int byte = 255
    while byte == 255:
        byte = next_sei_byte(sei)
        if byte < 0:
            return -1
        number += byte
    return number


cdef bint is_recovery_point(const uint8_t* unit, uint32_t size, bint hevc) noexcept nogil:
    """Return whether a unit is an SEI with a recovery point: a decoder may start at its picture."""
    cdef SeiBytes sei
    cdef int64_t kind, length
    if not (size and (((unit[0] >> 1) & 63) == 39 if hevc else unit[0] & 31 == 6)):
        return False
    sei.data = unit
    sei.at = 2 if hevc else 1
    sei.size = size
    sei.zeros = 0
    while True:
        kind = sei_number(&sei)
        length = sei_number(&sei)
        if length <= 0 or kind == 6:
            return kind == 6 and length > 0
        while length:
            if next_sei_byte(&sei) < 0:
                return False
            length -= 1


cdef bint scan_units(const uint8_t* p, Py_ssize_t n, int length_size, bint hevc, Units* out) noexcept nogil:
    """Measure the whole units of *p*, up to the first that is cut; False without one."""
    cdef Py_ssize_t at = 0
    cdef const uint8_t* unit = NULL
    cdef uint32_t size = 0
    memset(out, 0, sizeof(Units))
    while at < n and next_unit(p, n, length_size, &at, &unit, &size):
        out.end = at
        if size:
            out.found |= kind_of(unit[0], hevc, out.count == 0)
            out.roles |= <uint32_t>1 << role_of(unit[0], hevc)
            out.size += size + START_CODE_BYTES
            out.count += 1
    return out.count > 0


cdef int check_length_size(int length_size) except -1:
    if not 0 <= length_size <= 4:
        raise ValueError(f"NAL unit lengths of {length_size} bytes")
    return 0


def annexb(data, int length_size):
    """Return the whole units of *data* with 4-byte start codes, None without one.

    Called by tests alone: it shows each unit of `next_unit`.
    """
    cdef Py_buffer view
    cdef Units units
    cdef Py_ssize_t at = 0
    cdef const uint8_t* p
    cdef const uint8_t* unit = NULL
    cdef uint32_t size = 0
    cdef uint8_t* out
    check_length_size(length_size)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        p = <const uint8_t*>view.buf
        if not scan_units(p, view.len, length_size, False, &units):
            return None
        coded = PyBytes_FromStringAndSize(NULL, units.size)
        out = <uint8_t*>PyBytes_AS_STRING(coded)
        while at < units.end:
            next_unit(p, view.len, length_size, &at, &unit, &size)
            if size:
                store_be32(out, 1)
                memcpy(out + START_CODE_BYTES, unit, size)
                out += START_CODE_BYTES + size
        return coded
    finally:
        PyBuffer_Release(&view)


def scan(data, int length_size, *, bint hevc=False):
    """Return `(size, count, found)` of the whole units of an access unit, None without one.

    size: bytes of all units with 4-byte start codes. found: 1 delimiter first, 2 VPS, 4 SPS, 8 PPS, 16 IDR or IRAP.
    Called by tests alone; muxers use `scan_units`.
    """
    cdef Py_buffer view
    cdef Units units
    check_length_size(length_size)
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        if not scan_units(<const uint8_t*>view.buf, view.len, length_size, hevc, &units):
            return None
    finally:
        PyBuffer_Release(&view)
    return units.size, units.count, units.found
