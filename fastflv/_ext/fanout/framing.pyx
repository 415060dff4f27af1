"""Framing of what players are sent.

Spec: RFC 9112, 7.1 (chunks); RFC 6455, 5.2 (WebSocket frames).
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.core.octets cimport store_be16, store_be32


cdef int write_chunk_header(uint8_t* out, int64_t size) noexcept nogil:
    """Write `SIZE-IN-HEX CR LF`; return its length, at most 18."""
    cdef uint8_t digits[16]
    cdef int n = 0
    cdef int i
    cdef int64_t d
    while size:
        d = size & 15
        digits[n] = <uint8_t>(48 + d if d < 10 else 87 + d)
        size >>= 4
        n += 1
    for i in range(n):
        out[i] = digits[n - 1 - i]
    out[n] = 13
    out[n + 1] = 10
    return n + 2


cdef int write_frame_header(uint8_t* out, uint8_t framing, int64_t size) noexcept nogil:
    """Write the header of a frame with *size* bytes of content, above 0; return its length, at most 18."""
    if framing == FRAMING_CHUNKED:
        return write_chunk_header(out, size)
    out[0] = 0x82
    if size < 126:
        out[1] = <uint8_t>size
        return 2
    if size < 0x10000:
        out[1] = 126
        store_be16(out + 2, <uint32_t>size)
        return 4
    out[1] = 127
    store_be32(out + 2, <uint32_t>(size >> 32))
    store_be32(out + 6, <uint32_t>size)
    return 10


def frame_ends(int framing, int64_t size):
    """Return the bytes before and behind *size* bytes of content; both are empty where *size* is 0.

    *framing*: 0 none, 1 chunked, 2 WebSocket.
    """
    cdef uint8_t header[FRAME_HEADER_MAX]
    cdef int length
    if framing == FRAMING_RAW or size == 0:
        return b"", b""
    length = write_frame_header(header, <uint8_t>framing, size)
    return header[:length], b"\r\n" if framing == FRAMING_CHUNKED else b""
