"""Transport packets.

The size of a PES is known before its first byte is written, so its packets go straight to where
players read them, and the stuffing of the last one is right at once.

Spec: ISO 13818-1, 2.4.3.2 (packet), 2.4.3.4 (adaptation field), 2.4.3.6 (PES).
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

from fastflv._ext.core.octets cimport store_be16, store_be32

cdef enum:
    ADAPTATION = 0x20          # of the fourth byte of a packet
    PAYLOAD = 0x10
    UNIT_START = 0x40          # of the second
    DISCONTINUITY = 0x80       # of the flags of an adaptation field
    RANDOM_ACCESS = 0x40
    HAS_PCR = 0x10


cdef inline uint32_t field_bytes(const PesHead* head) noexcept nogil:
    """Return the size of the first packet's adaptation field before stuffing, with its length byte; 0: none."""
    if head.timed:
        return 8
    return 2 if head.random_access else 0


cdef inline uint32_t header_bytes(const PesHead* head) noexcept nogil:
    return 14 if head.pts == head.dts else 19


cdef uint32_t pes_packets_bytes(const PesHead* head) noexcept nogil:
    """Return the size of all packets of a PES."""
    cdef uint32_t total = header_bytes(head) + head.size + field_bytes(head)
    return (total + TS_ROOM - 1) // TS_ROOM * TS_BYTES


cdef inline void write_pcr(uint8_t* out, int64_t pcr) noexcept nogil:
    # 33 bits of 90 kHz, 6 reserved ones, 9 bits of 27 MHz that are 0 here.
    store_be32(out, <uint32_t>(pcr >> 1))
    out[4] = <uint8_t>((pcr & 1) << 7) | 0x7E
    out[5] = 0


cdef inline void write_stamp(uint8_t* out, uint8_t mark, int64_t time) noexcept nogil:
    """Write 33 bits of *time* with marker bits behind the four bits of *mark* (2.4.3.6)."""
    cdef uint64_t bits = <uint64_t>time
    out[0] = (mark << 4) | <uint8_t>((bits >> 29) & 0x0E) | 1
    out[1] = <uint8_t>(bits >> 22)
    out[2] = <uint8_t>(bits >> 14) | 1
    out[3] = <uint8_t>(bits >> 7)
    out[4] = <uint8_t>(bits << 1) | 1


cdef inline void write_head(uint8_t* out, uint16_t pid, uint8_t start, uint8_t control) noexcept nogil:
    out[0] = 0x47
    out[1] = start | <uint8_t>(pid >> 8)
    out[2] = <uint8_t>(pid & 0xFF)
    out[3] = control


cdef inline void next_packet(PesWriter* w) noexcept nogil:
    """Begin a packet behind the first; the adaptation field of the last packet holds the stuffing."""
    cdef uint32_t stuffing
    if w.left >= TS_ROOM:
        write_head(w.out, w.pid, 0, PAYLOAD | w.counter[0])
        w.out += 4
        w.room = TS_ROOM
    else:
        stuffing = TS_ROOM - w.left
        write_head(w.out, w.pid, 0, ADAPTATION | PAYLOAD | w.counter[0])
        w.out[4] = <uint8_t>(stuffing - 1)
        if stuffing > 1:
            w.out[5] = 0
            memset(w.out + 6, 0xFF, stuffing - 2)
        w.out += 4 + stuffing
        w.room = w.left
    w.left -= w.room
    w.counter[0] = (w.counter[0] + 1) & 15


cdef void pes_begin(PesWriter* w, uint8_t* out, uint8_t* counter, const PesHead* head) noexcept nogil:
    """Write the head of a PES at *out*, where `pes_packets_bytes` are free."""
    cdef uint32_t field = field_bytes(head)
    cdef uint32_t total = header_bytes(head) + head.size
    cdef uint32_t length = total - 6
    cdef uint8_t flags = 0
    cdef bint twice = head.pts != head.dts
    w.pid = head.pid
    w.counter = counter
    if total + field < TS_ROOM:
        field = TS_ROOM - total
    write_head(out, head.pid, UNIT_START, (ADAPTATION if field else 0) | PAYLOAD | counter[0])
    counter[0] = (counter[0] + 1) & 15
    out += 4
    if field:
        out[0] = <uint8_t>(field - 1)
        if field > 1:
            memset(out + 2, 0xFF, field - 2)
            if head.random_access:
                flags = RANDOM_ACCESS
            if head.timed:
                flags |= HAS_PCR
                if head.restarts:
                    flags |= DISCONTINUITY
                write_pcr(out + 2, head.pcr)
            out[1] = flags
    out += field
    store_be32(out, 0x100 | head.stream_id)
    store_be16(out + 4, length if length <= PES_BYTES_MAX else 0)
    out[6] = 0x84              # the data begins with an access unit
    out[7] = 0xC0 if twice else 0x80
    out[8] = 10 if twice else 5
    write_stamp(out + 9, 3 if twice else 2, head.pts)
    if twice:
        write_stamp(out + 14, 1, head.dts)
    w.out = out + header_bytes(head)
    w.room = TS_ROOM - field - header_bytes(head)
    w.left = total - (TS_ROOM - field)


cdef void pes_put(PesWriter* w, const uint8_t* p, uint32_t n) noexcept nogil:
    """Write the next *n* bytes of the PES; bytes beyond its size are left out."""
    cdef uint32_t take
    while n:
        if w.room == 0:
            if w.left == 0:
                return
            next_packet(w)
        if w.room == TS_ROOM and n >= TS_ROOM:
            # A length known to the compiler: most bytes of a picture come by here.
            memcpy(w.out, p, TS_ROOM)
            take = TS_ROOM
        else:
            take = min(n, w.room)
            memcpy(w.out, p, take)
        w.out += take
        w.room -= take
        p += take
        n -= take


cdef void write_pcr_packet(uint8_t* out, uint16_t pid, uint8_t counter, int64_t pcr, bint restarts) noexcept nogil:
    """Write a packet with a PCR and no payload; *counter* is that of the packet before it on that PID."""
    write_head(out, pid, 0, ADAPTATION | counter)
    out[4] = TS_ROOM - 1
    out[5] = HAS_PCR | (DISCONTINUITY if restarts else 0)
    write_pcr(out + 6, pcr)
    memset(out + 12, 0xFF, TS_BYTES - 12)


cdef void write_gap_packet(uint8_t* out, uint16_t pid, uint8_t counter) noexcept nogil:
    """Write a packet with discontinuity_indicator on *pid*. *counter*: that of its next payload, less one."""
    write_head(out, pid, 0, ADAPTATION | counter)
    out[4] = TS_ROOM - 1
    out[5] = DISCONTINUITY
    memset(out + 6, 0xFF, TS_BYTES - 6)


cdef uint32_t write_bridge(const uint8_t* entry, uint32_t size, uint8_t* out) noexcept nogil:
    """Write gap packets for the PIDs of an entry before which entries were left out; return their size."""
    cdef uint16_t pids[4]
    cdef uint16_t pid
    cdef uint32_t at = 0
    cdef int i, count = 0
    while at + TS_BYTES <= size and count < 4:
        pid = ((entry[at + 1] & 0x1F) << 8) | entry[at + 2]
        i = 0
        while i < count and pids[i] != pid:
            i += 1
        if i == count:
            pids[count] = pid
            # A packet without payload has the counter of the one before.
            write_gap_packet(
                out + count * TS_BYTES, pid, (entry[at + 3] - (1 if entry[at + 3] & PAYLOAD else 0)) & 15
            )
            count += 1
        at += TS_BYTES
    return count * TS_BYTES


cdef void write_section_packet(uint8_t* out, uint16_t pid, const uint8_t* section, uint32_t size) noexcept nogil:
    """Write a section of at most 183 bytes as one packet with continuity counter 0."""
    write_head(out, pid, UNIT_START, PAYLOAD)
    out[4] = 0
    memcpy(out + 5, section, size)
    memset(out + 5 + size, 0xFF, TS_BYTES - 5 - size)


def packets(
    payload, *, uint16_t pid, uint8_t stream_id, int64_t pts, int64_t dts,
    uint8_t counter=0, pcr=None, bint restarts=False, bint random_access=False, tuple cuts=(),
):
    """Return one PES in transport packets; `pes_put` gets the payload in pieces that end at *cuts*, rising offsets.

    Called by tests alone; the muxer uses `pes_begin` and `pes_put`.
    """
    cdef Py_buffer view
    cdef PesHead head
    cdef PesWriter writer
    cdef uint32_t at = 0
    cdef uint32_t end
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        if view.len > 0xFFFFFF or pid > 0x1FFF or counter > 15:
            raise ValueError("a payload, PID or counter out of range")
        head.pts = pts
        head.dts = dts
        head.timed = pcr is not None
        head.pcr = pcr if pcr is not None else 0
        head.size = <uint32_t>view.len
        head.pid = pid
        head.stream_id = stream_id
        head.restarts = restarts
        head.random_access = random_access
        out = PyBytes_FromStringAndSize(NULL, pes_packets_bytes(&head))
        pes_begin(&writer, <uint8_t*>PyBytes_AS_STRING(out), &counter, &head)
        for cut in (*cuts, view.len):
            end = min(max(cut, at), head.size)
            pes_put(&writer, <const uint8_t*>view.buf + at, end - at)
            at = end
        return out
    finally:
        PyBuffer_Release(&view)


def pcr_packet(uint16_t pid, uint8_t counter, int64_t pcr, *, bint restarts=False):
    """Return a packet with a PCR and no payload; *counter* is that of the packet before. Called by tests alone."""
    if pid > 0x1FFF or counter > 15:
        raise ValueError("a PID or counter out of range")
    out = PyBytes_FromStringAndSize(NULL, TS_BYTES)
    write_pcr_packet(<uint8_t*>PyBytes_AS_STRING(out), pid, counter, pcr, restarts)
    return out
