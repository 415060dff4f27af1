"""Access units of H.264 and HEVC, of what publishers send as pictures. See accessunits.pyx."""

from libc.stdint cimport uint8_t, uint32_t

from fastflv._ext.syntax.flvtag cimport Payload
from fastflv._ext.syntax.nalu cimport Units

cdef enum:                     # outcome of AccessUnits.take
    UNIT_AS_IS = 0             # the body is one access unit as players want it, or nothing that can be read
    UNIT_MADE = 1              # the body was written anew
    UNIT_PART = 2              # no picture: kept for the one that follows, or dropped

cdef enum UnitCoding:
    CODING_UNKNOWN
    CODING_LENGTHS
    CODING_START_CODES


cdef class AccessUnits:
    cdef uint32_t family       # AVC1 or HVC1; 0: another codec, whose bodies pass as they are
    cdef uint8_t sent_size     # bytes of the length before each unit, as the publisher sends them
    cdef uint8_t size          # as they are written: the same, 4 for 3
    cdef UnitCoding coding     # as far as pictures have shown it
    cdef bint bare             # the sequence header brings no parameter sets: those in pictures count
    cdef bint is_empty         # the sequence header says nothing at all
    cdef object make_record    # see fastflv.media.inband; None: no sequence header is made
    cdef int records           # made since the writer's last flush
    cdef bytes known           # parameter sets that the newest record was made of, or None
    cdef uint8_t* held         # owned; units for the next picture, each with its length
    cdef uint32_t held_size
    cdef uint32_t held_room
    cdef bint held_recovery    # a recovery point is among them
    cdef uint8_t* made         # owned; the body that was written last
    cdef uint32_t made_room

    # codec: as TagTraits.codec. record: body of the sequence header behind the tag's header; NULL: there is none.
    cdef void configure(self, uint32_t codec, const uint8_t* record, Py_ssize_t size) noexcept
    cdef void clear(self) noexcept
    # body, size, found: of a video tag with coded data; set to the new body, which is valid until the next call.
    cdef int take(self, Payload* found, const uint8_t** body, uint32_t* size, uint8_t* flags) except -1
    cdef bytes new_record(self, const uint8_t* data, Py_ssize_t size, int length_size)
    cdef bytes mended(self, const uint8_t* body, uint32_t at, uint32_t size)
    cdef bytes sets_in(self, const uint8_t* data, Py_ssize_t size, int length_size)
    cdef int coding_of(self, const uint8_t* data, Py_ssize_t size, Units* units) noexcept
    cdef int hold(self, const uint8_t* data, const Units* units, int length_size) except -1
    cdef uint8_t* put(self, uint8_t* out, const uint8_t* unit, uint32_t size) noexcept
