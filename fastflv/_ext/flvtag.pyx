"""FLV tags: framing and what a tag body is.

Spec: Adobe FLV v10.1, E.3, E.4; Enhanced RTMP v2 for the extended audio and video headers.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from fastflv._ext.octets cimport load_be16, load_be24, load_be32, store_be24, store_be32


cdef void write_tag_header(uint8_t* out, uint8_t kind, uint32_t size, int64_t dts_ms) noexcept nogil:
    # E.4.1: the extension byte is the high byte of a signed 32-bit time. Strict readers see values over 2**31 as
    # negative, so the top bit stays clear.
    cdef uint32_t t = <uint32_t>(dts_ms & 0x7FFFFFFF)
    out[0] = kind
    store_be24(out + 1, size)
    store_be24(out + 4, t & 0xFFFFFF)
    out[7] = t >> 24
    out[8] = 0
    out[9] = 0
    out[10] = 0


cdef void write_tag(uint8_t* out, uint8_t kind, const uint8_t* body, uint32_t size, int64_t dts_ms) noexcept nogil:
    """Write header, body and back pointer: `size + TAG_FRAME_BYTES` bytes at *out*."""
    write_tag_header(out, kind, size, dts_ms)
    if size:
        memcpy(out + TAG_HEADER_BYTES, body, size)
    store_be32(out + TAG_HEADER_BYTES + size, size + TAG_HEADER_BYTES)


cdef inline uint32_t skip_modex(const uint8_t* p, Py_ssize_t n, Py_ssize_t* at, uint8_t* packet) noexcept nogil:
    """Step over ModEx prefixes; return the nanosecond offset they carry, 0 where none does."""
    cdef uint32_t nanos = 0
    cdef Py_ssize_t size
    while packet[0] == 7:
        if at[0] >= n:
            return nanos
        size = p[at[0]] + 1
        at[0] += 1
        if size == 256:
            if at[0] + 2 > n:
                at[0] = n
                return nanos
            size = load_be16(p + at[0]) + 1
            at[0] += 2
        if at[0] + size + 1 > n:
            at[0] = n
            return nanos
        if (p[at[0] + size] >> 4) == 0 and size >= 3:
            nanos = load_be24(p + at[0])
        packet[0] = p[at[0] + size] & 0x0F
        at[0] += size + 1
    return nanos


cdef void read_extended(
    const uint8_t* p, Py_ssize_t n, uint8_t packet, uint8_t multitrack, TagTraits* out
) noexcept nogil:
    """Read what follows the first byte of an Enhanced RTMP header; `flags` keeps KEY and DISPOSABLE."""
    cdef Py_ssize_t at = 1
    cdef bint tracked = False
    out.offset_ns = skip_modex(p, n, &at, &packet)
    if out.flags & COMMAND and packet != 4:
        # A command frame is one command byte: no FourCC, whatever the packet type.
        return
    if packet == multitrack:
        if at >= n:
            out.flags |= COMMAND
            return
        tracked = True
        packet = p[at] & 0x0F
        at += 1
    if at + 4 > n:
        out.flags |= COMMAND
        return
    out.codec = load_be32(p + at)
    at += 4
    if tracked and at < n:
        out.track = p[at]
    # Audio packet type 4 (MultichannelConfig) and video 5 (MPEG2TSSequenceStart) configure the decoder too.
    if packet == 0 or packet == (5 if multitrack == 6 else 4):
        out.flags = (out.flags & ~(KEY | DISPOSABLE)) | CONFIG
        if packet == 4:
            out.flags |= NOTES
    elif packet == 1 or packet == 3:
        pass
    else:
        out.flags = (out.flags & ~(KEY | DISPOSABLE)) | COMMAND
        if packet == 4:
            out.flags |= NOTES


cdef TagTraits read_traits(uint8_t kind, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Say what a tag body is. Never fails: what is too short to tell is COMMAND."""
    cdef TagTraits out
    cdef uint8_t frame
    memset(&out, 0, sizeof(out))
    if n == 0 or (kind != TAG_AUDIO and kind != TAG_VIDEO):
        out.flags = COMMAND
        return out
    if kind == TAG_AUDIO:
        out.codec = p[0] >> 4
        if out.codec == 9:
            read_extended(p, n, p[0] & 0x0F, 5, &out)
        elif out.codec == 10:
            if n < 2:
                out.flags = COMMAND
            elif p[1] == 0:
                out.flags = CONFIG
        return out
    frame = (p[0] >> 4) & 7
    if frame == 1 or frame == 4:
        out.flags = KEY
    elif frame == 3:
        out.flags = DISPOSABLE
    elif frame == 5:
        out.flags = COMMAND
    if p[0] & 0x80:
        read_extended(p, n, p[0] & 0x0F, 6, &out)
        return out
    out.codec = p[0] & 0x0F
    if out.flags & COMMAND:
        return out
    if out.codec == 7 or out.codec == 12 or out.codec == 13:
        if n < 5:
            out.flags = COMMAND
        elif p[1] == 0:
            out.flags = CONFIG
        elif p[1] != 1:
            out.flags = COMMAND
    return out


def make_tag(uint8_t kind, int64_t dts_ms, body):
    """Return one FLV tag with its back pointer as bytes. *dts_ms* is taken modulo 2**31."""
    cdef Py_buffer view
    PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
    try:
        if view.len > 0xFFFFFF:
            raise ValueError("FLV tag body longer than 16777215 bytes")
        tag = PyBytes_FromStringAndSize(NULL, view.len + TAG_FRAME_BYTES)
        write_tag(<uint8_t*>PyBytes_AS_STRING(tag), kind, <const uint8_t*>view.buf, <uint32_t>view.len, dts_ms)
        return tag
    finally:
        PyBuffer_Release(&view)


def traits(uint8_t kind, body):
    """Return `(flags, codec, track)` of a tag body; flags: 1 key, 2 disposable, 4 configuration, 8 command."""
    cdef Py_buffer view
    cdef TagTraits out
    PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
    try:
        out = read_traits(kind, <const uint8_t*>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    return out.flags, out.codec, out.track
