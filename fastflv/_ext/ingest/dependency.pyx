"""Disposable pictures: coded pictures that no other picture refers to.

They are left out first for players that lag. Few encoders mark them in FLV tags, so the coded headers are read; in
doubt a picture counts as a reference picture.

Spec: H.264, 7.4.1 (nal_ref_idc); H.265, 7.4.2.2 with table 7-1 (sub-layer non-reference pictures), ISO 14496-15, 5.3.3
and 8.3.3 (avcC, hvcC); AV1, 5.5.1 (sequence header), 5.9.2 (refresh_frame_flags), AV1 in ISOBMFF, 2.3.3 (av1C).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memset

from fastflv._ext.syntax.flvtag cimport AV01, AV1_ID, AVC1, AVC_ID, HEVC_ID, HVC1
from fastflv._ext.syntax.nalu cimport next_unit

cdef enum:
    OBU_SEQUENCE = 1
    OBU_FRAME_HEADER = 3
    OBU_FRAME = 6
    KEY_FRAME = 0
    INTRA_ONLY_FRAME = 2
    SWITCH_FRAME = 3
    EACH_FRAME = 2             # SELECT_SCREEN_CONTENT_TOOLS, SELECT_INTEGER_MV


# --- bits -----------------------------------------------------------------------------------

cdef struct Bits:
    const uint8_t* data        # borrowed
    int64_t at                 # bits taken
    int64_t size               # bits there are; bits behind them read as 0, and `at` exceeds `size`


cdef inline uint32_t take_bits(Bits* bits, int count) noexcept nogil:
    cdef uint32_t value = 0
    while count:
        value <<= 1
        if bits.at < bits.size:
            value |= (bits.data[bits.at >> 3] >> (7 - (bits.at & 7))) & 1
        bits.at += 1
        count -= 1
    return value


# --- NAL units ------------------------------------------------------------------------------

cdef bint is_disposable_avc(const VideoForm* form, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Return whether each slice has nal_ref_idc 0 and no parameter set comes with them."""
    cdef Py_ssize_t at = 0
    cdef const uint8_t* unit = NULL
    cdef uint32_t size = 0
    cdef bint coded = False
    while at < n:
        if not next_unit(p, n, form.length_size, &at, &unit, &size):
            return False
        if size == 0:
            continue
        if 1 <= unit[0] & 31 <= 5:
            coded = True
            if unit[0] & 0x60:
                return False
        elif unit[0] & 31 == 7 or unit[0] & 31 == 8 or unit[0] & 31 == 13:
            return False
    return coded


cdef bint is_disposable_hevc(VideoForm* form, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Return whether each slice is a sub-layer non-reference picture of the highest layer, without parameter sets."""
    cdef Py_ssize_t at = 0
    cdef const uint8_t* unit = NULL
    cdef uint32_t size = 0
    cdef uint8_t kind, layer
    cdef bint disposable = True
    cdef bint coded = False
    while at < n:
        if not next_unit(p, n, form.length_size, &at, &unit, &size):
            return False
        if size < 2:
            continue
        kind = (unit[0] >> 1) & 63
        layer = (unit[1] & 7) - 1 if unit[1] & 7 else 0
        if kind < 32:
            coded = True
            form.top_layer = max(form.top_layer, layer)
            # Pictures of the same layer do not refer to it, but those of higher layers may.
            if kind > 14 or kind & 1 or layer < form.top_layer:
                disposable = False
        elif kind <= 34:
            disposable = False
    return coded and disposable


# --- OBUs -----------------------------------------------------------------------------------

cdef bint next_obu(
    const uint8_t* p, Py_ssize_t n, Py_ssize_t* at, uint8_t* kind, const uint8_t** data, Py_ssize_t* size
) noexcept nogil:
    """Read the OBU at offset *at*, below *n*, and step behind it; False when it ends behind *n*."""
    cdef uint8_t head = p[at[0]]
    cdef uint64_t length = 0
    cdef int shift = 0
    kind[0] = (head >> 3) & 15
    at[0] += 2 if head & 4 else 1
    if head & 2:
        while True:
            if at[0] >= n or shift > 28:
                return False
            length |= <uint64_t>(p[at[0]] & 127) << shift
            shift += 7
            at[0] += 1
            if p[at[0] - 1] < 128:
                break
        if length > <uint64_t>(n - at[0]):
            return False
        size[0] = <Py_ssize_t>length
    elif at[0] > n:
        return False
    else:
        size[0] = n - at[0]
    data[0] = p + at[0]
    at[0] += size[0]
    return True


cdef void read_sequence(VideoForm* form, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Read the fields of a sequence header that frame headers depend on (AV1, 5.5.1)."""
    cdef Bits bits
    cdef uint32_t points
    cdef int width, height
    cdef bint delayed
    form.readable = False
    bits.data = p
    bits.at = 0
    bits.size = 8 * <int64_t>n
    take_bits(&bits, 4)                     # profile, still picture
    # A still picture is no stream. A decoder model adds fields to each frame; no live encoder writes one.
    if take_bits(&bits, 1) or take_bits(&bits, 1) and not skip_timing(&bits):
        return
    delayed = take_bits(&bits, 1)
    points = take_bits(&bits, 5) + 1
    while points:
        points -= 1
        take_bits(&bits, 12)
        if take_bits(&bits, 5) > 7:
            take_bits(&bits, 1)
        if delayed and take_bits(&bits, 1):
            take_bits(&bits, 4)
    width = <int>take_bits(&bits, 4) + 1
    height = <int>take_bits(&bits, 4) + 1
    take_bits(&bits, width)
    take_bits(&bits, height)
    form.id_bits = 0
    if take_bits(&bits, 1):
        form.id_bits = <uint8_t>(take_bits(&bits, 4) + 2)
        form.id_bits += <uint8_t>(take_bits(&bits, 3) + 1)
    take_bits(&bits, 7)                     # superblock to dual filter
    form.order_bits = 0
    if take_bits(&bits, 1):
        take_bits(&bits, 2)
        form.order_bits = 1
    form.screen_content = EACH_FRAME
    if not take_bits(&bits, 1):
        form.screen_content = <uint8_t>take_bits(&bits, 1)
    form.integer_mv = EACH_FRAME
    if form.screen_content and not take_bits(&bits, 1):
        form.integer_mv = <uint8_t>take_bits(&bits, 1)
    if form.order_bits:
        form.order_bits = <uint8_t>(take_bits(&bits, 3) + 1)
    form.readable = bits.at <= bits.size


cdef bint skip_timing(Bits* bits) noexcept nogil:
    """Step over the timing information; False when a decoder model follows."""
    cdef int zeros = 0
    take_bits(bits, 64)
    if take_bits(bits, 1):                  # equal_picture_interval: uvlc follows
        while zeros < 32 and bits.at < bits.size and not take_bits(bits, 1):
            zeros += 1
        take_bits(bits, zeros)
    return not take_bits(bits, 1)


cdef bint is_kept_frame(const VideoForm* form, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Return whether a frame header refreshes a reference frame (AV1, 5.9.2: refresh_frame_flags)."""
    cdef Bits bits
    cdef uint32_t kind
    cdef bint shown, resilient, tools
    bits.data = p
    bits.at = 0
    bits.size = 8 * <int64_t>n
    if take_bits(&bits, 1):
        # show_existing_frame: a stored keyframe that is shown refreshes all reference frames.
        return True
    kind = take_bits(&bits, 2)
    shown = take_bits(&bits, 1)
    if not shown:
        take_bits(&bits, 1)
    if kind == SWITCH_FRAME or (kind == KEY_FRAME and shown):
        return True
    resilient = take_bits(&bits, 1)
    take_bits(&bits, 1)                     # disable_cdf_update
    tools = take_bits(&bits, 1) if form.screen_content == EACH_FRAME else form.screen_content
    if tools and form.integer_mv == EACH_FRAME:
        take_bits(&bits, 1)
    take_bits(&bits, form.id_bits)
    take_bits(&bits, 1)                     # frame_size_override_flag
    take_bits(&bits, form.order_bits)
    if kind != KEY_FRAME and kind != INTRA_ONLY_FRAME and not resilient:
        take_bits(&bits, 3)                 # primary_ref_frame
    return take_bits(&bits, 8) != 0 or bits.at > bits.size


cdef bint is_disposable_av1(const VideoForm* form, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Return whether no frame of the temporal unit is kept for reference."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t size = 0
    cdef const uint8_t* data = NULL
    cdef uint8_t kind = 0
    cdef bint coded = False
    if not form.readable:
        return False
    while at < n:
        if not next_obu(p, n, &at, &kind, &data, &size) or kind == OBU_SEQUENCE:
            return False
        if kind == OBU_FRAME or kind == OBU_FRAME_HEADER:
            coded = True
            if is_kept_frame(form, data, size):
                return False
    return coded


cdef void find_sequence(VideoForm* form, const uint8_t* p, Py_ssize_t n) noexcept nogil:
    """Read the sequence header among OBUs, if there is one."""
    cdef Py_ssize_t at = 0
    cdef Py_ssize_t size = 0
    cdef const uint8_t* data = NULL
    cdef uint8_t kind = 0
    while at < n and next_obu(p, n, &at, &kind, &data, &size):
        if kind == OBU_SEQUENCE:
            read_sequence(form, data, size)
            return


# --- entry points ----------------------------------------------------------------------------------

cdef void read_form(VideoForm* form, uint32_t codec, const uint8_t* record, Py_ssize_t size) noexcept nogil:
    """Read a decoder configuration into *form*."""
    memset(form, 0, sizeof(VideoForm))
    if codec == AVC1 or codec == AVC_ID:
        form.codec = AVC1
        form.length_size = (record[4] & 3) + 1 if size > 4 else 4
    elif codec == HVC1 or codec == HEVC_ID:
        form.codec = HVC1
        form.length_size = (record[21] & 3) + 1 if size > 21 else 4
        form.top_layer = max((record[21] >> 3) & 7, 1) - 1 if size > 21 else 0
    elif codec == AV01 or codec == AV1_ID:
        form.codec = AV01
        if size > 4:
            find_sequence(form, record + 4, size - 4)


cdef void note_key(VideoForm* form, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Read the sequence header in the data of a keyframe: AV1 streams may have it only there."""
    if form.codec == AV01:
        find_sequence(form, data, size)


cdef bint is_disposable(VideoForm* form, const uint8_t* data, Py_ssize_t size) noexcept nogil:
    """Return whether no other picture refers to the picture in *data*, the data of one tag."""
    if form.codec == AVC1:
        return is_disposable_avc(form, data, size)
    if form.codec == HVC1:
        return is_disposable_hevc(form, data, size)
    return form.codec == AV01 and is_disposable_av1(form, data, size)


def disposable(uint32_t codec, record, units):
    """Return for each of *units* (data of tags in decoding order) whether it is disposable.

    *codec*: FourCC as a number, or FLV codec id; *record*: the decoder configuration. Called by tests alone; the
    stream writer uses `is_disposable`.
    """
    cdef Py_buffer view
    cdef VideoForm form
    cdef list out = []
    PyObject_GetBuffer(record, &view, PyBUF_SIMPLE)
    try:
        read_form(&form, codec, <const uint8_t*>view.buf, view.len)
    finally:
        PyBuffer_Release(&view)
    for unit in units:
        PyObject_GetBuffer(unit, &view, PyBUF_SIMPLE)
        try:
            out.append(bool(is_disposable(&form, <const uint8_t*>view.buf, view.len)))
        finally:
            PyBuffer_Release(&view)
    return out
