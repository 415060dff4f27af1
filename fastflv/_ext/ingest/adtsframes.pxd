"""AAC that a publisher sends in ADTS frames. See adtsframes.pyx."""

from libc.stdint cimport uint8_t, uint32_t

from fastflv._ext.syntax.flvtag cimport Payload

cdef enum:
    AAC_HEAD_MAX = 16          # of a body in front of its first ADTS frame, bytes


cdef class AdtsFrames:
    cdef object make_record    # see fastflv.media.inband; None: no sequence header is made
    cdef int records           # made since the writer's last flush
    cdef bint has_config       # the publisher sent an AudioSpecificConfig that lacks nothing
    cdef uint32_t known        # SIGN bits of the frame that the newest record was made of; 0: none was
    cdef bytes bare            # AudioSpecificConfig that waits for a frame, which may bring the program; or None
    cdef const uint8_t* data   # borrowed during a take: the frames
    cdef uint32_t size
    cdef uint32_t at
    cdef uint32_t head_size
    cdef uint32_t count        # frames taken
    cdef uint8_t* body         # owned; of the present frame; NULL until the first, for most publishers send none

    cdef void clear(self) noexcept
    cdef bint configure(self, const uint8_t* config, uint32_t size) noexcept
    cdef bint begin(self, const Payload* found, const uint8_t* body) noexcept
    cdef bytes new_record(self)
    cdef bytes full_record(self, const Payload* found, const uint8_t* body)
    cdef bint next(self, uint32_t* after_ms, uint32_t* size) noexcept
