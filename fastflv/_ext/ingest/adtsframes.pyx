"""AAC whose frames say what its header should: ADTS frames, and program config elements in raw frames.

The raw frames are taken out of ADTS, one a tag, as players want it. A decoder configuration is made of what they say.

Spec: ISO 14496-3, 1.A.2.2 (ADTS), 1.6.2.1 (AudioSpecificConfig), 4.4.2.1 (elements of a frame); FLV v10.1, E.4.2.2.
"""

cimport cython
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport load_be16, load_be32
from fastflv._ext.syntax.adts cimport (
    ADTS_FRAME_MAX, AdtsFields, AdtsFrame, adts_size, is_adts, is_program, next_adts, set_adts, write_adts,
)
from fastflv._ext.syntax.flvtag cimport MP4A, TAG_AUDIO, Payload

from fastflv import limits

cdef int RECORDS_MAX = limits.KEY_HEADERS_MAX
cdef uint32_t FRAMES_MAX = limits.ADTS_FRAMES_MAX

cdef enum:
    MULTITRACK = 0x95          # first byte of a body
    SIGN = 0x0000FDC0          # profile, rate and channels in the first four bytes of a frame
    SAMPLES = 1024             # of a frame
    BARE_CONFIG_MAX = 6        # bytes of an AudioSpecificConfig too short for a program config element


@cython.final
cdef class AdtsFrames:
    """The default audio track of one publisher after the other. Belongs to the writer's thread.

    *make_record*: called as `fastflv.media.inband.make_record` is; None: no decoder configuration is made.
    """

    def __cinit__(self, make_record):
        self.make_record = make_record

    def __dealloc__(self):
        free(self.body)

    cdef void clear(self) noexcept:
        """Begin with a publisher that has sent no header."""
        self.has_config = False
        self.known = 0
        self.bare = None

    cdef bint configure(self, const uint8_t* config, uint32_t size) noexcept:
        """Take a sequence header; return whether it is whole. It is not where frames say more.

        That is an ADTS header or nothing, in place of an AudioSpecificConfig, or one of channel configuration 0 without
        a program config element.
        """
        self.known = 0
        self.bare = None
        self.has_config = size > 1 and load_be16(config) & 0xFFF0 != 0xFFF0
        if self.has_config and size <= BARE_CONFIG_MAX and load_be16(config) & 0x78 == 0:
            self.bare = config[:size]
            self.has_config = False
        return self.has_config

    cdef bint begin(self, const Payload* found, const uint8_t* body) noexcept:
        """Take the body of an AAC tag; return whether it holds ADTS frames, which `next` then brings.

        Without memory for one they stay as they came.
        """
        if (
            found.packet != 1 or found.at > AAC_HEAD_MAX or body[0] == MULTITRACK
            or not is_adts(body + found.at, found.size)
        ):
            return False
        if self.body == NULL:
            self.body = <uint8_t*>malloc(AAC_HEAD_MAX + ADTS_FRAME_MAX)
            if self.body == NULL:
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

    cdef bytes full_record(self, const Payload* found, const uint8_t* body):
        """Return the decoder configuration that waited for a frame, with the program that the frame begins with.

        None where none waited; as it came where the frame brings no program.
        """
        cdef const uint8_t* frame = body + found.at
        cdef AdtsFields fields
        cdef uint32_t size
        cdef int head
        cdef bytes bare = self.bare
        if bare is None or found.packet != 1 or found.size == 0:
            return None
        self.bare = None
        head = load_be16(<const uint8_t*>PyBytes_AS_STRING(bare))
        if (
            not is_program(frame) or self.make_record is None or self.records >= RECORDS_MAX
            or not set_adts(&fields, head >> 11, (head >> 7) & 15, 0, b"")
        ):
            return bare
        size = adts_size(&fields, frame, found.size)
        if size == 0:
            return bare
        self.records += 1
        whole = PyBytes_FromStringAndSize(NULL, size)
        write_adts(<uint8_t*>PyBytes_AS_STRING(whole), &fields, frame, found.size)
        return self.make_record(TAG_AUDIO, MP4A, whole) or bare

    cdef bint next(self, uint32_t* after_ms, uint32_t* size) noexcept:
        """Make `body` that of the next frame, of *size* bytes; False behind the last. *after_ms*: since the first.

        Frames beyond FRAMES_MAX are left out.
        """
        cdef AdtsFrame frame
        cdef Py_ssize_t at = self.at
        if self.at >= self.size or self.count >= FRAMES_MAX or not next_adts(self.data, self.size, &at, &frame):
            return False
        after_ms[0] = self.count * SAMPLES * 1000 // frame.rate
        memcpy(self.body + self.head_size, frame.data, frame.size)
        size[0] = self.head_size + frame.size
        self.at = <uint32_t>at
        self.count += 1
        return True
