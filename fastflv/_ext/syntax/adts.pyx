"""ADTS headers.

Spec: ISO 13818-7, 6.2; ISO 14496-3, 1.A.2.2 (the MPEG-4 form, which is written here), 4.4.2.1 (elements of a frame).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy


cdef enum:
    CRC_BYTES = 2

cdef uint32_t[13] RATES = [
    96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350,
]


cdef bint next_adts(const uint8_t* p, Py_ssize_t n, Py_ssize_t* at, AdtsFrame* out) noexcept nogil:
    """Read the ADTS frame at offset *at* and step behind it; False where none stands that is whole.

    A frame of several raw data blocks is none: without their CRC nothing says where they part.
    """
    cdef const uint8_t* head = p + at[0]
    cdef uint32_t length
    cdef uint32_t before
    if n - at[0] < ADTS_BYTES or head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or head[6] & 3:
        return False
    if ((head[2] >> 2) & 15) > 12:
        return False
    before = ADTS_BYTES if head[1] & 1 else ADTS_BYTES + CRC_BYTES
    length = (<uint32_t>(head[3] & 3) << 11) | (<uint32_t>head[4] << 3) | (head[5] >> 5)
    if length <= before or <Py_ssize_t>length > n - at[0]:
        return False
    out.data = head + before
    out.size = length - before
    out.rate = RATES[(head[2] >> 2) & 15]
    at[0] += length
    return True


cdef bint is_adts(const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Return whether *p* is ADTS frames to its end. No raw AAC frame with sound begins with their sync."""
    cdef Py_ssize_t at = 0
    cdef AdtsFrame frame
    while at < n and next_adts(p, n, &at, &frame):
        pass
    return at == n and n > 0


cdef bint set_adts(AdtsFields* fields, int object_type, int rate_index, int channel_config, bytes program) noexcept:
    """Fill *fields*; return whether ADTS has a code for each of them."""
    if not (
        1 <= object_type <= 4 and 0 <= rate_index <= 12 and 0 <= channel_config <= 7 and len(program) <= PROGRAM_MAX
    ):
        return False
    fields.object_type = <uint8_t>object_type
    fields.rate_index = <uint8_t>rate_index
    fields.channel_config = <uint8_t>channel_config
    fields.program_size = <uint8_t>len(program)
    memcpy(fields.program, <const char*>program, len(program))
    return True


cdef inline uint32_t added_bytes(const AdtsFields* fields, const uint8_t* frame) noexcept nogil:
    """Return the bytes in front of a frame: the header, and the program where the frame does not begin with its own."""
    return ADTS_BYTES + (0 if is_program(frame) else fields.program_size)


cdef uint32_t adts_size(const AdtsFields* fields, const uint8_t* frame, uint32_t size) noexcept nogil:
    """Return the bytes of a raw *frame* in ADTS, 0 where it is empty or too long."""
    if size == 0 or size > ADTS_FRAME_MAX or size + added_bytes(fields, frame) > ADTS_FRAME_MAX:
        return 0
    return size + added_bytes(fields, frame)


cdef void write_adts(uint8_t* out, const AdtsFields* fields, const uint8_t* frame, uint32_t size) noexcept nogil:
    """Write a raw *frame* in ADTS: `adts_size` bytes, which is not 0."""
    cdef uint32_t before = added_bytes(fields, frame)
    cdef uint32_t length = before + size
    out[0] = 0xFF
    out[1] = 0xF1              # MPEG-4, layer 0, no CRC
    out[2] = ((fields.object_type - 1) << 6) | (fields.rate_index << 2) | (fields.channel_config >> 2)
    out[3] = ((fields.channel_config & 3) << 6) | (length >> 11)
    out[4] = (length >> 3) & 0xFF
    out[5] = ((length & 7) << 5) | 0x1F
    out[6] = 0xFC              # fullness 0x7FF: variable bit rate; one block
    memcpy(out + ADTS_BYTES, fields.program, before - ADTS_BYTES)
    memcpy(out + before, frame, size)


def adts(bytes frame not None, int object_type, int rate_index, int channel_config, bytes program=b""):
    """Return a raw frame in ADTS. Raises ValueError for values without a code in ADTS.

    Called by tests alone; muxers use `write_adts`.
    """
    cdef AdtsFields fields
    cdef const uint8_t* p = frame
    cdef uint32_t size
    if not set_adts(&fields, object_type, rate_index, channel_config, program):
        raise ValueError(f"no ADTS header for AAC {object_type}, rate {rate_index}, channels {channel_config}")
    size = adts_size(&fields, p, <uint32_t>len(frame))
    if size == 0:
        raise ValueError(f"no ADTS header for a frame of {len(frame)} bytes")
    out = PyBytes_FromStringAndSize(NULL, size)
    write_adts(<uint8_t*>PyBytes_AS_STRING(out), &fields, p, <uint32_t>len(frame))
    return out
