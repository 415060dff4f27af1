"""FLV tags: framing, and the header of a tag's body.

Spec: Adobe FLV v10.1, E.3, E.4; Enhanced RTMP v2 for the extended audio and video headers.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t
from libc.string cimport memcpy, memset

from fastflv._ext.core.octets cimport load_be16, load_be24, load_be32, store_be24, store_be32


cdef int64_t tag_time(uint32_t timestamp, int64_t near_ms) noexcept nogil:
    """Return the time that the 31 bits of a tag's *timestamp* mean: the one nearest to *near_ms*, ms."""
    cdef int64_t ahead = (<int64_t>timestamp - near_ms) & 0x7FFFFFFF
    return near_ms + (ahead if ahead < 1 << 30 else ahead - (<int64_t>1 << 31))


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


cdef void restamp_tags(uint8_t* run, Py_ssize_t size, int64_t dts_ms) noexcept nogil:
    """Give the whole tags in *run* the time *dts_ms*; metadata keeps its 0."""
    cdef Py_ssize_t at = 0
    cdef FlvTag tag
    while next_tag(run, size, &at, &tag):
        if tag.kind != TAG_SCRIPT:
            write_tag_header(<uint8_t*>tag.start, tag.kind, tag.size, dts_ms)


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
    elif packet == 1 or (packet == 3 and multitrack == 6):
        pass
    else:
        out.flags = (out.flags & ~(KEY | DISPOSABLE)) | COMMAND
        if packet == 4:
            out.flags |= NOTES


cdef TagTraits read_traits(uint8_t kind, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Classify a tag body by its header. Never fails: a body that is too short is COMMAND."""
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
    if out.codec == AVC_ID or out.codec == HEVC_ID or out.codec == AV1_ID:
        if n < 5:
            out.flags = COMMAND
        elif p[1] == 0:
            out.flags = CONFIG
        elif p[1] != 1:
            out.flags = COMMAND
    return out


cdef inline int32_t load_cts(const uint8_t* p) noexcept nogil:
    """Read a signed 24-bit composition time."""
    return <int32_t>(load_be24(p) << 8) >> 8


cdef bint find_track(
    const uint8_t* p, Py_ssize_t n, Py_ssize_t* at, uint8_t how, uint32_t* codec, Py_ssize_t* end
) noexcept nogil:
    """Step to the data of track 0 in a multitrack body; *how*: 0 one track, 1 many of one codec, 2 many codecs."""
    cdef Py_ssize_t size
    cdef uint8_t track
    if how != 2:
        if at[0] + 4 > n:
            return False
        codec[0] = load_be32(p + at[0])
        at[0] += 4
    while True:
        if how == 2:
            if at[0] + 4 > n:
                return False
            codec[0] = load_be32(p + at[0])
            at[0] += 4
        if at[0] >= n:
            return False
        track = p[at[0]]
        at[0] += 1
        size = n - at[0]
        if how:
            if at[0] + 3 > n:
                return False
            size = <Py_ssize_t>load_be24(p + at[0])
            at[0] += 3
            if size > n - at[0]:
                return False
        if track == 0:
            end[0] = at[0] + size
            return True
        at[0] += size


cdef bint read_payload(uint8_t kind, const uint8_t* p, Py_ssize_t n, Payload* out) noexcept nogil:
    """Find the data of the default track in a tag body; False without such a track or when the body is cut short."""
    cdef Py_ssize_t at = 1
    cdef Py_ssize_t end = n
    cdef uint8_t how
    cdef bint video = kind == TAG_VIDEO
    cdef bint extended
    memset(out, 0, sizeof(Payload))
    if n < 1 or (kind != TAG_AUDIO and not video):
        return False
    out.packet = 1
    if video:
        out.frame = (p[0] >> 4) & 7
        extended = (p[0] & 0x80) != 0
        out.codec = p[0] & 0x0F
        if not extended and out.frame == 5:
            return False
    else:
        out.codec = p[0] >> 4
        extended = out.codec == 9
    if extended:
        out.packet = p[0] & 0x0F
        skip_modex(p, n, &at, &out.packet)
        if video and out.frame == 5 and out.packet != 4:
            return False
        if out.packet == (6 if video else 5):
            if at >= n:
                return False
            how = p[at] >> 4
            out.packet = p[at] & 0x0F
            at += 1
            if how > 2 or not find_track(p, n, &at, how, &out.codec, &end):
                return False
        elif at + 4 > n:
            return False
        else:
            out.codec = load_be32(p + at)
            at += 4
        if video and out.packet == 1 and (out.codec == HVC1 or out.codec == AVC1 or out.codec == VVC1):
            if at + 3 > end:
                return False
            out.cts_ms = load_cts(p + at)
            at += 3
        elif video and out.packet == 3:
            out.packet = 1
    elif video and (out.codec == AVC_ID or out.codec == HEVC_ID or out.codec == AV1_ID):
        if n < 5:
            return False
        out.packet = p[1]
        out.cts_ms = load_cts(p + 2)
        at = 5
    elif not video and out.codec == 10:
        if n < 2:
            return False
        out.packet = 0 if p[1] == 0 else 1
        at = 2
    out.at = <uint32_t>at
    out.size = <uint32_t>(end - at)
    return True


def make_tag(uint8_t kind, int64_t dts_ms, body):
    """Return one FLV tag with its back pointer as bytes. *dts_ms* is taken modulo 2**31.

    For what is made now and then; the writer of a stream uses `write_tag`.
    """
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


def payload(uint8_t kind, body):
    """Return `(codec, frame, packet, cts_ms, data)` of the default track of a tag body, None when it has none.

    packet: 0 sequence start, 1 coded data, 2 end of sequence, others as in Enhanced RTMP.
    """
    cdef Py_buffer view
    cdef Payload out
    PyObject_GetBuffer(body, &view, PyBUF_SIMPLE)
    try:
        if not read_payload(kind, <const uint8_t*>view.buf, view.len, &out):
            return None
        data = (<const uint8_t*>view.buf)[out.at:out.at + out.size]
    finally:
        PyBuffer_Release(&view)
    return out.codec, out.frame, out.packet, out.cts_ms, data
