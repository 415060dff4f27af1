"""CRC-32/MPEG-2: polynomial 0x04C11DB7, first value all ones, no reflection, no final exclusive or.

Spec: ISO 13818-1, annex A.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t

cdef uint32_t POLYNOMIAL = 0x04C11DB7
cdef uint32_t TABLE[256]       # filled at import, never changed after


cdef void fill_table() noexcept nogil:
    cdef int byte, _bit
    cdef uint32_t value
    for byte in range(256):
        value = <uint32_t>byte << 24
        for _bit in range(8):
            value = (value << 1) ^ (POLYNOMIAL * (value >> 31))
        TABLE[byte] = value


fill_table()


cdef uint32_t crc32_mpeg(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Return the CRC of *n* bytes at *p*."""
    cdef uint32_t crc = 0xFFFFFFFF
    cdef Py_ssize_t i
    for i in range(n):
        crc = (crc << 8) ^ TABLE[(crc >> 24) ^ p[i]]
    return crc


def crc32(data):
    """Return the CRC-32/MPEG-2 of *data*; 0 for a section with its own CRC behind it.

    Called by tests alone; tables use `crc32_mpeg`.
    """
    cdef Py_buffer view
    PyObject_GetBuffer(data, &view, PyBUF_SIMPLE)
    try:
        return crc32_mpeg(<const uint8_t*>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
