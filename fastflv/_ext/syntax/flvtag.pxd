"""FLV tags: framing and what a tag body is."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

cdef enum:
    TAG_AUDIO = 8
    TAG_VIDEO = 9
    TAG_SCRIPT = 18
    TAG_HEADER_BYTES = 11
    TAG_FRAME_BYTES = 15       # header and back pointer: what a tag adds to its body

cdef enum:                     # codecs of video: the ids of FLV, the FourCCs of Enhanced RTMP
    AVC_ID = 7
    HEVC_ID = 12
    AV1_ID = 13
    AVC1 = 0x61766331
    HVC1 = 0x68766331
    VVC1 = 0x76766331
    AV01 = 0x61763031

cdef enum:                     # bits of TagTraits.flags and of the tag index
    KEY = 1                    # a decoder can start here
    DISPOSABLE = 2             # no other frame refers to it
    CONFIG = 4                 # sequence header: decoder configuration, no picture or sound
    COMMAND = 8                # neither configuration nor coded data: seek marks, HDR metadata, end of sequence
    # With COMMAND: video metadata (colorInfo) that a joining player needs. With CONFIG: the channels of an
    # audio track, which come besides its sequence header. In the index of script data: onMetaData, whose time in the
    # tag is 0: with another, FFmpeg's demuxer (and VLC's with it) takes it for a subtitle and waits for more.
    NOTES = 16
    # Only in the tag index: shown before the keyframe that it follows, so it may refer to pictures before that.
    LEADING = 32

cdef struct TagTraits:
    uint8_t flags
    uint8_t track              # Enhanced RTMP track id; 0 for the default and for all others
    uint32_t codec             # FourCC, or the FLV codec id / sound format below 16
    uint32_t offset_ns         # nanoseconds to add to the timestamp (ModEx), below 1,000,000

cdef struct Payload:
    # Where the coded bytes of the default track are in a tag body.
    uint32_t codec             # as TagTraits.codec
    uint8_t frame              # video: frame type 1..5, 0 for audio
    uint8_t packet             # 0 sequence start, 1 coded data, 2 end of sequence; others as in Enhanced RTMP
    int32_t cts_ms             # composition time of video, may be negative; 0 where there is none
    uint32_t at                # offset of the data in the body, bytes
    uint32_t size              # of the data, bytes

cdef int64_t tag_time(const uint8_t* tag, int64_t near_ms) noexcept nogil
cdef bint read_payload(uint8_t kind, const uint8_t* body, Py_ssize_t size, Payload* out) noexcept nogil
cdef void write_tag_header(uint8_t* out, uint8_t kind, uint32_t size, int64_t dts_ms) noexcept nogil
cdef void write_tag(uint8_t* out, uint8_t kind, const uint8_t* body, uint32_t size, int64_t dts_ms) noexcept nogil
cdef TagTraits read_traits(uint8_t kind, const uint8_t* body, Py_ssize_t size) noexcept nogil
