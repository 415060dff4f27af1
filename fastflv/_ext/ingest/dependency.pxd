"""Disposable pictures: coded pictures that no other picture refers to."""

from libc.stdint cimport uint8_t, uint32_t


cdef struct VideoForm:
    # Fields of a decoder configuration that the headers of pictures depend on. All zero: not known.
    uint32_t codec             # AVC1, HVC1, AV01; 0: another, whose pictures count as reference pictures
    uint8_t length_size        # AVC, HEVC: bytes of the length before each NAL unit
    uint8_t top_layer          # HEVC: highest temporal layer, announced or seen
    bint readable              # AV1: a sequence header was read, and frame headers can be read by it
    uint8_t screen_content     # AV1: seq_force_screen_content_tools; 2: each frame says
    uint8_t integer_mv         # AV1: seq_force_integer_mv; 2: each frame says
    uint8_t id_bits            # AV1: of current_frame_id, 0: it is not there
    uint8_t order_bits         # AV1: of order_hint


# codec: as TagTraits.codec. record: body of the configuration behind the tag's header.
cdef void read_form(VideoForm* form, uint32_t codec, const uint8_t* record, Py_ssize_t size) noexcept nogil
cdef void note_key(VideoForm* form, const uint8_t* data, Py_ssize_t size) noexcept nogil
cdef bint is_disposable(VideoForm* form, const uint8_t* data, Py_ssize_t size) noexcept nogil
