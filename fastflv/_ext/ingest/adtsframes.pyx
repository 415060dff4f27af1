"""AAC that a publisher sends in ADTS frames: the raw frames are taken out, one a tag, as players want it.

Spec: ISO 14496-3, 1.A.2.2 (ADTS), 1.6.2.1 (AudioSpecificConfig); Adobe FLV v10.1, E.4.2.2.
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport load_be16, load_be32
from fastflv._ext.syntax.adts cimport AdtsFrame, is_adts, next_adts
from fastflv._ext.syntax.flvtag cimport MP4A, TAG_AUDIO, Payload

from fastflv import limits

cdef int RECORDS_MAX = limits.KEY_HEADERS_MAX

cdef enum:
    MULTITRACK = 0x95          # first byte of a body
    SIGN = 0x0000FDC0          # profile, rate and channels in the first four bytes of a frame
    SAMPLES = 1024             # of a frame


@cython.final
cdef class AdtsFrames:
    """The default audio track of one publisher after the other. Belongs to the writer's thread.

    *make_record*: called as `fastflv.media.inband.make_record` is; None: no decoder configuration is made.
    """

    def __cinit__(self, make_record):
        self.make_record = make_record

    cdef void clear(self) noexcept:
        """Begin with a publisher that has sent no header."""
        self.has_config = False
        self.known = 0

    cdef bint configure(self, const uint8_t* config, uint32_t size) noexcept:
        """Take a sequence header; return whether it can be an AudioSpecificConfig: no ADTS header, and not empty."""
        self.known = 0
        self.has_config = size > 1 and load_be16(config) & 0xFFF0 != 0xFFF0
        return self.has_config

    cdef bint begin(self, const Payload* found, const uint8_t* body) noexcept:
        """Take the body of an AAC tag; return whether it holds ADTS frames, which `next` then brings."""
        if (
            found.packet != 1 or found.at > AAC_HEAD_MAX or body[0] == MULTITRACK
            or not is_adts(body + found.at, found.size)
        ):
            return False
        self.data = body + found.at
        self.size = found.size
        self.at = 0
        self.count = 0
        self.head_size = found.at
        memcpy(self.body, body, found.at)
        return True

    cdef bytes new_record(self):
        """Return a decoder configuration of the frames; None where the publisher sent one, or frames before gave it."""
        cdef uint32_t sign = load_be32(self.data) & SIGN
        if self.has_config or sign == self.known or self.make_record is None or self.records >= RECORDS_MAX:
            return None
        self.known = sign
        self.records += 1
        return self.make_record(TAG_AUDIO, MP4A, self.data[:self.size])

    cdef bint next(self, uint32_t* after_ms, uint32_t* size) noexcept:
        """Make `body` that of the next frame, of *size* bytes; False behind the last. *after_ms*: since the first."""
        cdef AdtsFrame frame
        cdef Py_ssize_t at = self.at
        if self.at >= self.size or not next_adts(self.data, self.size, &at, &frame):
            return False
        after_ms[0] = self.count * SAMPLES * 1000 // frame.rate
        memcpy(self.body + self.head_size, frame.data, frame.size)
        size[0] = self.head_size + frame.size
        self.at = <uint32_t>at
        self.count += 1
        return True
