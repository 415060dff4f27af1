"""FLV tags: framing, and the header of a tag's body."""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from fastflv._ext.core.octets cimport load_be24, load_be32

cdef enum:
    TAG_AUDIO = 8
    TAG_VIDEO = 9
    TAG_SCRIPT = 18
    FLV_HEADER_BYTES = 9       # of a file; the back pointer 0 follows
    TAG_HEADER_BYTES = 11
    BACK_POINTER_BYTES = 4
    TAG_FRAME_BYTES = 15       # header and back pointer

cdef enum:                     # codecs of video: the ids of FLV, the FourCCs of Enhanced RTMP
    AVC_ID = 7
    HEVC_ID = 12
    AV1_ID = 13
    AVC1 = 0x61766331
    HVC1 = 0x68766331
    VVC1 = 0x76766331
    AV01 = 0x61763031

cdef enum:                     # AAC: the sound format of FLV, the FourCC
    AAC_FORMAT = 10
    MP4A = 0x6D703461

cdef enum:                     # bits of TagTraits.flags and of the tag index
    KEY = 1                    # a decoder can start here
    DISPOSABLE = 2             # no other frame refers to it
    CONFIG = 4                 # sequence header: decoder configuration, no picture or sound
    COMMAND = 8                # no configuration and no coded data: seek marks, HDR metadata, end of sequence
    # With COMMAND: video metadata (colorInfo), which a joining player needs. With CONFIG: the channel layout of an
    # audio track, sent besides its sequence header. In the index of script data: onMetaData. Its tag has time 0: with
    # another time FFmpeg's demuxer (also VLC's) takes it for a subtitle and waits for more.
    NOTES = 16
    # Only in the tag index: a leading picture, shown before the keyframe that it follows in decoding order. It may
    # refer to pictures before that keyframe.
    LEADING = 32

cdef struct FlvTag:
    # A tag as it stands in a run of bytes. Both pointers are borrowed from the run.
    const uint8_t* start       # its header
    const uint8_t* body
    uint32_t size              # of the body, bytes
    uint32_t timestamp         # ms, the extension byte on top
    uint8_t kind               # first byte of the header: TAG_* where filter and reserved bits are clear

cdef struct TagTraits:
    uint8_t flags
    uint8_t track              # Enhanced RTMP track id; 0 for the default and for all others
    uint32_t codec             # FourCC, or the FLV codec id / sound format below 16
    uint32_t offset_ns         # nanoseconds to add to the timestamp (ModEx), below 1,000,000

cdef struct Payload:
    # The coded bytes of the default track in a tag body.
    uint32_t codec             # as TagTraits.codec
    uint8_t frame              # video: frame type 1..5, 0 for audio
    uint8_t packet             # 0 sequence start, 1 coded data, 2 end of sequence; others as in Enhanced RTMP
    int32_t cts_ms             # composition time of video, may be negative; 0 where there is none
    uint32_t at                # offset of the data in the body, bytes
    uint32_t size              # of the data, bytes


cdef inline bint is_aac(uint32_t codec) noexcept nogil:
    """Return whether *codec*, as TagTraits.codec of audio, is AAC."""
    return codec == AAC_FORMAT or codec == MP4A


cdef inline void read_tag_header(const uint8_t* p, FlvTag* out) noexcept nogil:
    """Read the TAG_HEADER_BYTES at *p*."""
    out.start = p
    out.body = p + TAG_HEADER_BYTES
    out.kind = p[0]
    out.size = load_be24(p + 1)
    out.timestamp = load_be24(p + 4) | (<uint32_t>p[7] << 24)


cdef inline bint next_tag(const uint8_t* run, Py_ssize_t size, Py_ssize_t* at, FlvTag* out) noexcept nogil:
    """Read the tag at offset *at* of *run* and step behind its back pointer; False when it is not whole."""
    if at[0] + TAG_FRAME_BYTES > size:
        return False
    read_tag_header(run + at[0], out)
    if <Py_ssize_t>out.size > size - at[0] - TAG_FRAME_BYTES:
        return False
    at[0] += TAG_FRAME_BYTES + <Py_ssize_t>out.size
    return True


cdef inline int64_t flv_data_offset(const uint8_t* header) noexcept nogil:
    """Return the DataOffset of the FLV_HEADER_BYTES at *header*, -1 where they are no FLV header of version 1."""
    cdef int64_t offset = load_be32(header + 5)
    return offset if load_be32(header) == 0x464C5601 and offset >= FLV_HEADER_BYTES else -1


cdef int64_t tag_time(uint32_t timestamp, int64_t near_ms) noexcept nogil
cdef bint read_payload(uint8_t kind, const uint8_t* body, Py_ssize_t size, Payload* out) noexcept nogil
cdef void write_tag_header(uint8_t* out, uint8_t kind, uint32_t size, int64_t dts_ms) noexcept nogil
cdef void write_tag(uint8_t* out, uint8_t kind, const uint8_t* body, uint32_t size, int64_t dts_ms) noexcept nogil
cdef void restamp_tags(uint8_t* run, Py_ssize_t size, int64_t dts_ms) noexcept nogil
cdef TagTraits read_traits(uint8_t kind, const uint8_t* body, Py_ssize_t size) noexcept nogil
