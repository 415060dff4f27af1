"""PAT and PMT sections.

Spec: ISO 13818-1, 2.4.4.3 (PAT), 2.4.4.8 (PMT), 2.6.8 (registration); ETSI TS 101 154 and the Opus mapping in
MPEG-2 TS for its descriptor.
"""

from libc.stdint cimport uint8_t, uint16_t, uint32_t

from fastflv._ext.core.octets cimport store_be16, store_be32
from fastflv._ext.ts.crc32 cimport crc32_mpeg


cdef uint32_t close_section(uint8_t* out, uint8_t table, uint16_t id, uint8_t version, uint32_t size) noexcept nogil:
    """Write header and CRC of a section whose *size* bytes from the ninth on are written; return the whole size."""
    out[0] = table
    store_be16(out + 1, 0xB000 | (size + 9))
    store_be16(out + 3, id)
    out[5] = 0xC1 | (version << 1)
    out[6] = 0
    out[7] = 0
    store_be32(out + 8 + size, crc32_mpeg(out, 8 + size))
    return size + 12


cdef uint32_t write_pat(uint8_t* out) noexcept nogil:
    """Write the PAT of the one program; return its size, bytes."""
    store_be16(out + 8, PROGRAM)
    store_be16(out + 10, 0xE000 | PMT_PID)
    return close_section(out, 0, 1, 0, 4)


cdef uint32_t write_pmt(
    uint8_t* out, uint8_t version, uint16_t pcr_pid, const PmtEntry* entries, int count
) noexcept nogil:
    """Write the PMT of *count* streams, at most 8; return its size, bytes. *version*: 0 to 31."""
    cdef uint8_t* p = out + 12
    cdef uint8_t* loop
    cdef int i
    store_be16(out + 8, 0xE000 | pcr_pid)
    store_be16(out + 10, 0xF000)
    for i in range(count):
        p[0] = entries[i].type
        store_be16(p + 1, 0xE000 | entries[i].pid)
        loop = p + 5
        if entries[i].registration:
            loop[0] = 0x05
            loop[1] = 4
            store_be32(loop + 2, entries[i].registration)
            loop += 6
        if entries[i].opus_channels:
            # An extension descriptor with one byte: the channels.
            loop[0] = 0x7F
            loop[1] = 2
            loop[2] = 0x80
            loop[3] = entries[i].opus_channels
            loop += 4
        store_be16(p + 3, 0xF000 | <uint32_t>(loop - p - 5))
        p = loop
    return close_section(out, 2, PROGRAM, version, <uint32_t>(p - out - 8))
