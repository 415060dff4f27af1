"""Where the messages of one publish come in, on air or on standby."""

from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastflv._ext.ingest.keptgop cimport KeptGop
from fastflv._ext.ingest.life cimport Life
from fastflv._ext.ingest.sink cimport MediaSink
from fastflv._ext.ingest.streamwriter cimport StreamWriter


cdef class Inlet(MediaSink):
    cdef readonly StreamWriter writer  # of the stream; used on air alone
    cdef readonly bint on_air
    cdef KeptGop kept                  # on standby; None on air and once closed
    cdef int64_t clock_ms              # monotonic clock of the read being taken in, ms
    cdef readonly int64_t heard_ms     # monotonic clock of the newest message, ms
    cdef readonly uint64_t bytes       # of media bodies
    cdef uint64_t messages             # taken
    cdef Life life

    cdef void begin_read(self, int64_t now_ms) noexcept
    cdef int end_read(self) except -1
    cdef bint is_quiet(self) noexcept
    cdef uint64_t formats_now(self) noexcept
