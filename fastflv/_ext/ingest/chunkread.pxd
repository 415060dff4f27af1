"""RTMP chunk reassembly: state that survives between reads."""

from libc.stdint cimport uint8_t, uint32_t, uint64_t

from fastflv._ext.ingest.sink cimport MediaSink


cdef struct ChunkStream:
    uint32_t id            # chunk stream id, 2..65599
    uint32_t timestamp     # of the present or last message, ms modulo 2**32
    uint32_t delta         # last timestamp step, ms; after a type 0 header its timestamp (5.3.1.2.4)
    uint32_t extended      # last extended timestamp field as read
    uint32_t length        # announced bytes of the message
    uint32_t stream_id     # message stream id
    uint8_t kind           # message type
    bint has_extended      # the last type 0, 1 or 2 header carried the extended field
    bint open              # a message has begun and is not complete
    uint8_t* body          # owned; bytes of the message so far; NULL when none were kept
    Py_ssize_t room        # bytes allocated at body
    Py_ssize_t got         # bytes of the message received


cdef class Route:
    """Where the media of one message stream goes."""
    cdef uint32_t stream_id
    cdef MediaSink sink               # None: its media is shown in `message`


cdef class ChunkReader:
    cdef readonly object message      # tuple of the last feed, or None
    cdef list routes                  # of Route; a few, one for each message stream that carries media
    cdef Route last                   # found last: most messages follow one of the same stream
    cdef readonly uint32_t chunk_size
    cdef readonly uint64_t received   # bytes since creation
    cdef readonly uint64_t dropped    # media messages of message streams without a sink
    cdef readonly uint64_t ignored    # messages that nobody reads: empty, or of other types
    cdef ChunkStream* streams         # owned array; pointers into it are kept only within a call
    cdef Py_ssize_t stream_count
    cdef Py_ssize_t stream_room
    cdef Py_ssize_t current           # index of the chunk stream whose chunk body is being read, or -1
    cdef uint32_t chunk_left          # bytes missing of the present chunk body
    cdef uint8_t head[20]             # an incomplete header kept between reads
    cdef Py_ssize_t head_size
    cdef Py_ssize_t max_message
    cdef Py_ssize_t max_streams
    cdef Py_ssize_t max_partial
    cdef Py_ssize_t max_commands      # of `max_partial`, while nothing is published
    cdef Py_ssize_t partial           # bytes allocated for unfinished messages

    cdef Py_ssize_t take(self, const uint8_t* p, Py_ssize_t n, Py_ssize_t start) except -1
    cdef bint is_inside(self) noexcept
    cdef Py_ssize_t read_header(self, const uint8_t* p, Py_ssize_t n) except -1
    cdef Py_ssize_t find(self, uint32_t chunk_stream) noexcept
    cdef Py_ssize_t add_stream(self, uint32_t chunk_stream) except -1
    cdef int keep(self, ChunkStream* stream, const uint8_t* p, Py_ssize_t n) except -1
    cdef Route route_of(self, uint32_t stream_id)
    cdef Route add_route(self, uint32_t stream_id)
    cdef int finish(self, ChunkStream* stream, const uint8_t* body) except -1
    cdef void release(self, ChunkStream* stream) noexcept
