"""ADTS headers.

Spec: ISO 13818-7, 6.2; ISO 14496-3, 1.A.2.2 (the MPEG-4 form, which is written here).
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t


cdef bint adts_fits(uint32_t frame_size) noexcept nogil:
    """Return whether a raw frame of that many bytes can have a header."""
    return 0 < frame_size <= ADTS_FRAME_MAX - ADTS_BYTES


cdef void write_adts(uint8_t* out, const AdtsFields* fields, uint32_t frame_size) noexcept nogil:
    """Write the ADTS_BYTES of the header of one raw frame, for which `adts_fits` holds."""
    cdef uint32_t length = frame_size + ADTS_BYTES
    out[0] = 0xFF
    out[1] = 0xF1              # MPEG-4, layer 0, no CRC
    out[2] = ((fields.object_type - 1) << 6) | (fields.rate_index << 2) | (fields.channel_config >> 2)
    out[3] = ((fields.channel_config & 3) << 6) | (length >> 11)
    out[4] = (length >> 3) & 0xFF
    out[5] = ((length & 7) << 5) | 0x1F
    out[6] = 0xFC              # fullness 0x7FF: variable bit rate; one block


def adts_header(int object_type, int rate_index, int channel_config, Py_ssize_t frame_size):
    """Return the ADTS header of a raw frame of *frame_size* bytes. Raises ValueError for values without a code in ADTS.

    Called by tests alone; muxers use `write_adts`.
    """
    cdef AdtsFields fields
    if not (1 <= object_type <= 4 and 0 <= rate_index <= 12 and 1 <= channel_config <= 7):
        raise ValueError(f"no ADTS header for AAC {object_type}, rate {rate_index}, channels {channel_config}")
    if frame_size > ADTS_FRAME_MAX or not adts_fits(<uint32_t>max(frame_size, 0)):
        raise ValueError(f"no ADTS header for a frame of {frame_size} bytes")
    fields.object_type = <uint8_t>object_type
    fields.rate_index = <uint8_t>rate_index
    fields.channel_config = <uint8_t>channel_config
    header = PyBytes_FromStringAndSize(NULL, ADTS_BYTES)
    write_adts(<uint8_t*>PyBytes_AS_STRING(header), &fields, <uint32_t>frame_size)
    return header
