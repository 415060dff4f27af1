"""CRC-32/MPEG-2, the check of PSI sections."""

from libc.stdint cimport uint8_t, uint32_t

cdef uint32_t crc32_mpeg(const uint8_t* p, Py_ssize_t n) noexcept nogil
