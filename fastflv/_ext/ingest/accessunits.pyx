"""Access units of H.264 and HEVC, of what publishers send as pictures.

Players want one access unit a tag, its NAL units behind lengths of 1, 2 or 4 bytes, to the last byte. Encoders also
send start codes, lengths of 3 bytes, a stray byte at the end, and SEI or parameter sets in tags of their own. Such
bodies are written anew, once for all outputs; all others pass as they are.

Spec: ISO 14496-15, 5.3.3 and 8.3.3 (avcC, hvcC); H.264 and H.265, annex B (start codes), 7.4.1.2.3 and 7.4.2.4.4 (order
of units).
"""

cimport cython
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport load_be24, load_be32
from fastflv._ext.syntax.flvtag cimport AVC1, AVC_ID, DISPOSABLE, HEVC_ID, HVC1, KEY, TAG_VIDEO, Payload
from fastflv._ext.syntax.nalu cimport (
    ROLE_BEFORE, ROLE_DELIMITER, ROLE_OTHER, ROLE_SLICE, UNIT_IRAP, UNIT_PPS, UNIT_SPS, UNIT_VPS, Units,
    is_recovery_point, kind_of, next_unit, role_of, scan_units,
)

from fastflv import limits

cdef int RECORDS_MAX = limits.KEY_HEADERS_MAX
cdef uint32_t HELD_MAX = limits.UNITS_HELD_BYTES_MAX
cdef Py_ssize_t SETS_MAX = limits.HEADERS_BYTES_MAX
cdef uint32_t MADE_KEEP = limits.CHUNK_BODY_KEEP_BYTES

cdef enum:
    BODY_MAX = 0xFFFFFF        # of an FLV tag, bytes
    MULTITRACK = 6             # packet type of Enhanced RTMP
    LENGTH_SIZE = 4            # where no sequence header says it


cdef inline uint32_t family_of(uint32_t codec) noexcept nogil:
    if codec == AVC_ID or codec == AVC1:
        return AVC1
    return HVC1 if codec == HEVC_ID or codec == HVC1 else 0


cdef inline uint8_t* grow(uint8_t* bytes, uint32_t* room, uint32_t size) except NULL:
    """Return *bytes* with room for *size* bytes."""
    cdef uint8_t* grown = bytes
    if size > room[0] or bytes == NULL:
        grown = <uint8_t*>realloc(bytes, max(size, 2 * room[0]))
        if grown == NULL:
            raise MemoryError
        room[0] = max(size, 2 * room[0])
    return grown


@cython.final
cdef class AccessUnits:
    """The default video track of one publisher after the other. Belongs to the writer's thread.

    *make_record*: called as `fastflv.media.inband.make_record` is; None: no decoder configuration is made.
    """

    def __cinit__(self, make_record):
        self.make_record = make_record
        self.clear()

    def __dealloc__(self):
        free(self.held)
        free(self.made)

    cdef void clear(self) noexcept:
        """Begin with a publisher whose codec is not known."""
        self.family = 0
        self.held_size = 0
        self.held_recovery = False
        self.known = None

    cdef void configure(self, uint32_t codec, const uint8_t* record, Py_ssize_t size) noexcept:
        """Take a sequence header."""
        cdef uint8_t written = self.size
        self.family = family_of(codec)
        self.sent_size = LENGTH_SIZE
        self.coding = CODING_UNKNOWN
        self.bare = self.is_empty = False
        if self.family == AVC1:
            self.bare = not (size > 6 and record[0] == 1 and record[5] & 31)
            self.is_empty = size == 0 or (self.bare and size > 5 and record[0] == 1)
            if not self.bare:
                self.sent_size = (record[4] & 3) + 1
        elif self.family == HVC1:
            self.bare = not (size > 22 and record[22])
            self.is_empty = size == 0 or (self.bare and size > 22 and record[0] == 1)
            if not self.bare:
                self.sent_size = (record[21] & 3) + 1
        if not self.bare:
            self.known = None
        self.size = 4 if self.sent_size == 3 else self.sent_size
        if self.size != written:
            self.held_size = 0
            self.held_recovery = False

    cdef int coding_of(self, const uint8_t* data, Py_ssize_t size, Units* units) noexcept:
        """Measure the units of *data*; return the bytes of their lengths, 0 for start codes, -1 where it is neither.

        A first length of 1, or of 256 to 511, looks like a start code. It is none where lengths fill the data to its
        end, or did so in an earlier picture.
        """
        cdef bint hevc = self.family == HVC1
        cdef bint long_code = size >= 4 and load_be32(data) == 1
        cdef bint coded = long_code or (size >= 3 and load_be24(data) == 1)
        if not coded or self.coding != CODING_START_CODES:
            if scan_units(data, size, self.sent_size, hevc, units) and size - units.end < self.sent_size:
                if units.end == size:
                    self.coding = CODING_LENGTHS
                if not coded or self.coding == CODING_LENGTHS or not (long_code or self.bare):
                    return self.sent_size
        if coded and self.coding != CODING_LENGTHS and scan_units(data, size, 0, hevc, units) and (
            self.coding == CODING_START_CODES
            or (not units.roles & (1 << ROLE_OTHER) and (long_code or self.bare or units.count > 1))
        ):
            self.coding = CODING_START_CODES
            return 0
        return -1

    cdef int take(self, Payload* found, const uint8_t** body, uint32_t* size, uint8_t* flags) except -1:
        """Take the body of a tag; correct its *flags* by what its units say, and write it anew where needed."""
        cdef const uint8_t* head = body[0]
        cdef const uint8_t* data = head + found.at
        cdef Py_ssize_t at = 0
        cdef const uint8_t* unit = NULL
        cdef uint32_t length = 0
        cdef uint32_t whole
        cdef Units units
        cdef int length_size
        cdef bint hevc, first, start
        cdef uint8_t* out
        if self.made_room > MADE_KEEP:
            # As with the bodies of messages, a large picture is given back.
            free(self.made)
            self.made = NULL
            self.made_room = 0
        if head[0] & 0x80 and head[0] & 0x0F == MULTITRACK:
            return UNIT_AS_IS
        if family_of(found.codec) != self.family:
            self.configure(found.codec, NULL, 0)
        if self.family == 0:
            return UNIT_AS_IS
        hevc = self.family == HVC1
        length_size = self.coding_of(data, found.size, &units)
        if length_size < 0:
            return UNIT_AS_IS
        if not units.roles & (1 << ROLE_SLICE):
            if units.roles & (1 << ROLE_OTHER):
                return UNIT_AS_IS
            self.hold(data, &units, length_size)
            return UNIT_PART
        start = units.found & UNIT_IRAP or self.held_recovery
        if not start and not flags[0] & KEY and units.roles & (1 << ROLE_BEFORE):
            while at < units.end and not start:
                next_unit(data, found.size, length_size, &at, &unit, &length)
                start = length and is_recovery_point(unit, length, hevc)
        if start:
            flags[0] = (flags[0] | KEY) & ~<uint8_t>DISPOSABLE
        if length_size == self.size and units.end == found.size and self.held_size == 0:
            return UNIT_AS_IS
        whole = found.at + self.held_size + units.size
        if whole > BODY_MAX:
            self.held_size = 0
            return UNIT_PART
        self.made = grow(self.made, &self.made_room, whole)
        out = self.made
        memcpy(out, head, found.at)
        out += found.at
        at = 0
        first = True
        while at < units.end:
            next_unit(data, found.size, length_size, &at, &unit, &length)
            if length == 0:
                continue
            if self.size < 4 and length >> (8 * self.size):
                return UNIT_PART
            if first and role_of(unit[0], hevc) == ROLE_DELIMITER:
                out = self.put(out, unit, length)
                continue
            if first and self.held_size:
                memcpy(out, self.held, self.held_size)
                out += self.held_size
            first = False
            out = self.put(out, unit, length)
        self.held_size = 0
        self.held_recovery = False
        body[0] = self.made
        size[0] = <uint32_t>(out - self.made)
        found.size = size[0] - found.at
        return UNIT_MADE

    cdef int hold(self, const uint8_t* data, const Units* units, int length_size) except -1:
        """Keep the units of a tag without a picture that belong before the slices of the next one."""
        cdef bint hevc = self.family == HVC1
        cdef Py_ssize_t at = 0
        cdef const uint8_t* unit = NULL
        cdef uint32_t length = 0
        while at < units.end:
            next_unit(data, units.end, length_size, &at, &unit, &length)
            if length == 0 or role_of(unit[0], hevc) != ROLE_BEFORE:
                continue
            if length > HELD_MAX or (self.size < 4 and length >> (8 * self.size)):
                continue
            if self.held_size + self.size + length > HELD_MAX:
                self.held_size = 0
                self.held_recovery = False
            self.held = grow(self.held, &self.held_room, self.held_size + self.size + length)
            self.put(self.held + self.held_size, unit, length)
            self.held_size += self.size + length
            if is_recovery_point(unit, length, hevc):
                self.held_recovery = True
        return 0

    cdef uint8_t* put(self, uint8_t* out, const uint8_t* unit, uint32_t size) noexcept:
        """Write a unit behind its length, which fits; return the address behind it."""
        cdef int i
        for i in range(self.size):
            out[i] = <uint8_t>(size >> (8 * (self.size - 1 - i)))
        memcpy(out + self.size, unit, size)
        return out + self.size + size

    cdef bytes new_record(self, const uint8_t* data, Py_ssize_t size, int length_size):
        """Return a decoder configuration of the parameter sets in *data*; None where a sequence header has brought it.

        None too where *data* has none, or those of the newest record. *length_size*: as for `scan_units`.
        """
        if self.family == 0 or not self.bare or self.make_record is None or self.records >= RECORDS_MAX:
            return None
        sets = self.sets_in(data, size, length_size)
        if sets is None or sets == self.known:
            return None
        self.known = sets
        self.records += 1
        return self.make_record(TAG_VIDEO, self.family, sets)

    cdef bytes mended(self, const uint8_t* body, uint32_t at, uint32_t size):
        """Return a sequence header with the length size that is written. *at*: of the record in *body*."""
        cdef bytes copy = body[:size]
        # The low two bits of this byte are the size less one.
        (<uint8_t*><const char*>copy)[at + (4 if self.family == AVC1 else 21)] |= 3
        return copy

    cdef bytes sets_in(self, const uint8_t* data, Py_ssize_t size, int length_size):
        """Return the parameter sets in *data*, each behind 4 bytes of length; None where a kind is missing."""
        cdef bint hevc = self.family == HVC1
        cdef uint32_t wanted = (UNIT_VPS | UNIT_SPS | UNIT_PPS) if hevc else (UNIT_SPS | UNIT_PPS)
        cdef uint32_t kind, length = 0
        cdef Py_ssize_t at = 0
        cdef Py_ssize_t total = 0
        cdef const uint8_t* unit = NULL
        cdef Units units
        cdef list parts = []
        if not scan_units(data, size, length_size, hevc, &units) or units.found & wanted != wanted:
            return None
        while at < units.end:
            next_unit(data, size, length_size, &at, &unit, &length)
            kind = kind_of(unit[0], hevc, False) if length else 0
            if kind & wanted:
                total += length
                if total > SETS_MAX:
                    return None
                parts.append((<uint32_t>length).to_bytes(4, "big"))
                parts.append(unit[:length])
        return b"".join(parts)
