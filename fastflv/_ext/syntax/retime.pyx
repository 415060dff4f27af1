"""Frames whose times are compressed: decode and composition times pass through one rising map.

Spec: Adobe FLV v10.1, E.4.3 (composition time); Enhanced RTMP v2, video packet types 1 and 3.
"""

from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.stdlib cimport realloc
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport store_be24
from fastflv._ext.syntax.flvtag cimport AV1_ID, AVC1, AVC_ID, HEVC_ID, HVC1, TAG_VIDEO, VVC1, Payload, read_payload

cdef enum:
    CTS_BYTES = 3
    EXTENDED = 0x80
    TYPE_CODED = 1             # Enhanced RTMP: coded frames with a composition time
    TYPE_MODEX = 7
    TYPE_MULTITRACK = 6
    CTS_MAX = 0x7FFFFF


cdef Frame* add_frame(
    Frames* frames, uint8_t kind, const uint8_t* body, uint32_t size, int64_t dts_ms
) noexcept nogil:
    """Append a frame that is written as it is; NULL without memory."""
    cdef Frame* grown
    cdef Frame* frame
    if frames.count == frames.room:
        grown = <Frame*>realloc(frames.rows, (2 * frames.room + 64) * sizeof(Frame))
        if grown == NULL:
            return NULL
        frames.rows = grown
        frames.room = 2 * frames.room + 64
    frame = &frames.rows[frames.count]
    frames.count += 1
    frame.body = body
    frame.size = size
    frame.at = 0
    frame.kind = kind
    frame.form = FORM_NONE
    frame.dts = frame.pts = frame.out_dts = frame.out_pts = dts_ms
    return frame


cdef int read_times(Frame* frame) noexcept nogil:
    """Find the times of a video frame; return TIMES_READ, TIMES_NONE or TIMES_FIXED."""
    cdef Payload found
    cdef uint8_t first = frame.body[0] if frame.size else 0
    if not read_payload(TAG_VIDEO, frame.body, frame.size, &found) or found.packet != 1:
        return TIMES_NONE
    frame.at = found.at
    frame.pts = frame.out_pts = frame.dts + found.cts_ms
    frame.form = FORM_NONE
    if not first & EXTENDED:
        if found.codec == AVC_ID or found.codec == HEVC_ID or found.codec == AV1_ID:
            frame.form = FORM_FIELD
        return TIMES_READ
    if first & 0x0F == TYPE_MULTITRACK or first & 0x0F == TYPE_MODEX:
        return TIMES_FIXED
    if found.codec == AVC1 or found.codec == HVC1 or found.codec == VVC1:
        frame.form = FORM_FIELD if first & 0x0F == TYPE_CODED else FORM_LEFT_OUT
    return TIMES_READ


cdef void compress_times(Frames* video, int64_t span, int64_t least) noexcept nogil:
    """Move the pictures' times so that the first is decoded *span* ms before the last, or 1 ms for each picture.

    Both times pass through one rising map, which keeps times from the last decode time on. So the order of presentation
    stays, also against the pictures that follow. Equal decode times are then made distinct from the end backwards, only
    ever earlier but not before *least*, so that no picture is shown before it is decoded.
    """
    cdef Py_ssize_t i
    cdef Frame* row
    cdef int64_t last = video.rows[video.count - 1].dts
    cdef int64_t whole = last - video.rows[0].dts
    cdef int64_t before = last + 1
    span = max(span, <int64_t>video.count)
    for i in range(video.count - 1, -1, -1):
        row = &video.rows[i]
        if whole > span:
            if row.dts < last:
                row.out_dts = last - (last - row.dts) * span // whole
            if row.pts < last:
                row.out_pts = last - (last - row.pts) * span // whole
        row.out_dts = max(min(row.out_dts, before - 1), least)
        before = row.out_dts


cdef uint32_t retimed_size(const Frame* frame) noexcept nogil:
    """Return the size of the body that `write_retimed` writes, bytes."""
    cdef bint longer = frame.form == FORM_LEFT_OUT and frame.out_pts != frame.out_dts
    return frame.size + (CTS_BYTES if longer else 0)


cdef void write_retimed(uint8_t* out, const Frame* frame) noexcept nogil:
    """Write the body of a frame with its new composition time: `retimed_size` bytes at *out*."""
    cdef int64_t cts = min(frame.out_pts - frame.out_dts, <int64_t>CTS_MAX)
    if retimed_size(frame) == frame.size:
        memcpy(out, frame.body, frame.size)
        if frame.form == FORM_FIELD:
            store_be24(out + frame.at - CTS_BYTES, <uint32_t>cts & 0xFFFFFF)
    else:
        memcpy(out, frame.body, frame.at)
        out[0] = (out[0] & 0xF0) | TYPE_CODED
        store_be24(out + frame.at, <uint32_t>cts & 0xFFFFFF)
        memcpy(out + frame.at + CTS_BYTES, frame.body + frame.at, frame.size - frame.at)
