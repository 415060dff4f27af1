"""FLV tags from FLV tags: some tracks left out, HEVC under the other of its two labels.

Spec: Adobe FLV v10.1, E.4.3.1 with codec id 12 for HEVC, as Chinese CDNs and players use it; Enhanced RTMP v2,
FourCC `hvc1`.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport store_be24, store_be32
from fastflv._ext.log.block cimport block_new
from fastflv._ext.log.keyheaders cimport set_key_headers
from fastflv._ext.log.log cimport log_commit, log_mark_key, log_reserve, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.mux.remux cimport Remux
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, HEVC_ID, HVC1, KEY, NOTES, TAG_AUDIO, TAG_FRAME_BYTES, TAG_HEADER_BYTES, TAG_SCRIPT,
    TAG_VIDEO, FlvTag, Payload, TagTraits, next_tag, read_payload, read_traits, write_tag_header,
)

cdef enum:
    LABEL_BYTES_MAX = 8        # longest header of a video body that is written here

cdef enum:                     # labels
    AS_IS = 0
    LEGACY = 1
    ENHANCED = 2

cdef enum:                     # outcome of FlvMux.choose
    LEFT_OUT = 0
    KEPT = 1
    RELABELLED = 2


cdef uint32_t write_label(uint8_t* out, const Payload* found, int label) noexcept nogil:
    """Write the header of an HEVC body under *label*, at most 8 bytes; return its length."""
    if label == LEGACY:
        out[0] = (found.frame << 4) | HEVC_ID
        out[1] = found.packet
        store_be24(out + 2, <uint32_t>found.cts_ms & 0xFFFFFF)
        return 5
    out[0] = 0x80 | (found.frame << 4) | found.packet
    store_be32(out + 1, HVC1)
    if found.packet != 1:
        return 5
    store_be24(out + 5, <uint32_t>found.cts_ms & 0xFFFFFF)
    return 8


@cython.final
cdef class FlvMux(Remux):
    """*audio*, *video*: tracks kept; *keys_only*: of video the keyframes; *label*: 0 as is, 1 legacy, 2 enhanced.

    *edit* is called with the body of each script tag and returns what to write.
    """

    cdef bint audio
    cdef bint video
    cdef bint keys_only
    cdef int label
    cdef object edit

    def __init__(
        self, MediaLog source not None, MediaLog log not None, *, bint audio=True, bint video=True,
        bint keys_only=False, int label=AS_IS, edit=None,
    ):
        Remux.__init__(self, source, log)
        self.tells_time = True
        self.audio = audio
        self.video = video
        self.carries_video = video
        self.keys_only = keys_only
        self.label = label
        self.edit = edit

    def headers(self, bytes tags not None):
        """Return the whole FLV *tags* without those that are left out, relabelled as in the log."""
        cdef const uint8_t* p = tags
        cdef Py_ssize_t at = 0
        cdef FlvTag tag
        cdef Payload found
        cdef int choice
        parts = []
        while next_tag(p, len(tags), &at, &tag):
            choice = self.choose(tag.kind, tag.body, tag.size, read_traits(tag.kind, tag.body, tag.size).flags, &found)
            if choice != LEFT_OUT:
                data = tag.body[:tag.size]
                if tag.kind == TAG_SCRIPT and self.edit is not None:
                    data = self.edit(data)
                elif choice == RELABELLED:
                    data = labelled(&found, self.label) + data[found.at:found.at + found.size]
                parts.append(tag.start[:1] + len(data).to_bytes(3, "big") + tag.start[4:TAG_HEADER_BYTES] + data)
                parts.append((len(data) + TAG_HEADER_BYTES).to_bytes(4, "big"))
        return b"".join(parts)

    cdef int choose(self, uint8_t kind, const uint8_t* body, uint32_t size, uint8_t flags, Payload* found) noexcept:
        """Decide on a tag: LEFT_OUT, KEPT or RELABELLED; *found* is filled for RELABELLED."""
        if kind == TAG_AUDIO:
            return KEPT if self.audio else LEFT_OUT
        if kind != TAG_VIDEO:
            return KEPT
        if not self.video or self.keys_only and not flags & (KEY | CONFIG | COMMAND):
            return LEFT_OUT
        if self.label == AS_IS:
            return KEPT
        if (
            read_payload(kind, body, size, found)
            and found.codec == <uint32_t>(HVC1 if self.label == LEGACY else HEVC_ID) and found.packet <= 2
        ):
            return RELABELLED
        # HDR metadata and further tracks of HEVC have no form under the id; players that know only ids misread them.
        if self.label == LEGACY and size and body[0] & 0x80 and read_traits(kind, body, size).codec == HVC1:
            return LEFT_OUT
        return KEPT

    cdef int rekey(self) except -1:
        return set_key_headers(self.log, self.headers(self.source.key_headers))

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        cdef uint8_t* out
        cdef uint32_t head = 0
        cdef int64_t at = self.log.log.written
        cdef Payload found
        cdef uint8_t label[LABEL_BYTES_MAX]
        cdef TagTraits traits
        cdef int choice = self.choose(kind, body, size, flags, &found)
        if choice == LEFT_OUT:
            return 0
        key = kind == TAG_VIDEO and flags & KEY and not flags & (CONFIG | COMMAND) and self.is_start(size)
        if key:
            traits = read_traits(kind, body, size)
            key = traits.track == 0
        if kind == TAG_SCRIPT and self.edit is not None:
            data = self.edit(body[:size])
            body = <const uint8_t*><const char*>data
            size = <uint32_t>len(data)
        elif choice == RELABELLED:
            head = write_label(label, &found, self.label)
            body += found.at
            size = found.size
        out = log_reserve(self.log.log, head + size + TAG_FRAME_BYTES)
        if out == NULL:
            raise MemoryError
        write_tag_header(
            out, kind, head + size, 0 if kind == TAG_SCRIPT and flags & NOTES else told_ms(self.log.log, dts_ms)
        )
        memcpy(out + TAG_HEADER_BYTES, label, head)
        if size:
            memcpy(out + TAG_HEADER_BYTES + head, body, size)
        store_be32(out + TAG_HEADER_BYTES + head + size, TAG_HEADER_BYTES + head + size)
        log_commit(self.log.log, head + size + TAG_FRAME_BYTES, dts_ms, kind, flags)
        self.written = True
        if key:
            headers = self.headers(self.source.key_headers)
            log_mark_key(self.log.log, at, block_new(<const uint8_t*><const char*>headers, <uint32_t>len(headers)))
        return 0


cdef bytes labelled(const Payload* found, int label):
    cdef uint8_t out[LABEL_BYTES_MAX]
    cdef uint32_t size = write_label(out, found, label)
    return out[:size]
