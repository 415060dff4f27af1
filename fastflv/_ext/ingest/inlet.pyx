"""Where the messages of one publish come in.

On air they go to the writer of the stream; on standby the newest GOP is kept.

A source writes to one inlet from its begin to its end and knows nothing of the change.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t, uint64_t

from fastflv._ext.ingest.keptgop cimport KeptGop
from fastflv._ext.ingest.life cimport life_note
from fastflv._ext.ingest.sink cimport MediaSink, split_aggregate
from fastflv._ext.ingest.streamwriter cimport StreamWriter

from fastflv import limits

cdef uint64_t LIFE_BYTES = limits.PUBLISH_LIFE_BYTES
cdef uint64_t LIFE_MESSAGES = limits.PUBLISH_LIFE_MESSAGES
cdef int64_t GOP_BYTES = limits.GOP_BYTES_MAX


@cython.final
cdef class Inlet(MediaSink):
    """Sink of one publisher of a stream, closed at first. Belongs to the event loop.

    *writer*: of the stream. Many inlets may share it, one of them on air.
    """

    def __cinit__(self, StreamWriter writer not None):
        self.writer = writer

    @property
    def now_ms(self):
        """Monotonic clock of the read being taken in, ms."""
        return self.clock_ms

    @now_ms.setter
    def now_ms(self, int64_t now_ms):
        self.begin_read(now_ms)

    @property
    def alive_ms(self):
        """Monotonic clock when the publisher last showed that it lives, ms."""
        return self.life.shown_ms

    @property
    def idles(self):
        """Media has come since `alive_ms`, too little to count."""
        return self.bytes != self.life.bytes

    @property
    def formats(self):
        """As of the writer; 0 besides on air."""
        return self.formats_now()

    @property
    def keys(self):
        """Keyframes that came on standby, count."""
        return self.kept.keys if self.kept is not None else 0

    @property
    def has_pictures(self):
        """Pictures came on standby."""
        return self.kept is not None and self.kept.shown > 0

    def fitted_ms(self, int64_t room_ms):
        """Return the time that the kept GOP takes where *room_ms* are left for it, ms; 0 where none is kept."""
        return self.kept.fitted_ms(room_ms) if self.kept is not None else 0

    def stand_by(self, *, int64_t bytes_max, int pictures_max):
        """Keep the newest GOP from now on, within *bytes_max* and *pictures_max*; 0: as much as any GOP may have."""
        self.on_air = False
        self.kept = KeptGop(min(bytes_max or GOP_BYTES, GOP_BYTES), pictures_max)

    def go_on_air(self, int64_t kept_ms=0):
        """Write to the stream from now on, first what is kept. The writer has begun a publisher.

        *kept_ms*: the time that it takes, as `fitted_ms` has said.
        """
        cdef KeptGop kept = self.kept
        self.kept = None
        self.on_air = True
        if kept is not None:
            self.writer.now_ms = self.clock_ms
            kept.replay(self.writer, kept_ms)

    def resume(self, uint64_t received):
        """Go on with a publisher of another process, which has sent so many bytes of media."""
        self.bytes = received
        self.life.bytes = received
        self.life.shown_ms = self.heard_ms = self.clock_ms

    def finish(self):
        """Write what waits for its turn: nothing follows for a while."""
        if self.on_air:
            self.writer.finish()

    def shift(self, int64_t offset_ms):
        """Go on with the same media from another connection, as `TagWriter.shift` says. Standby keeps times as sent."""
        if self.on_air:
            self.writer.shift(offset_ms)

    def close(self):
        """Take nothing any more."""
        self.on_air = False
        self.kept = None

    def flush(self):
        """The read is done: publish on air what it brought."""
        self.end_read()

    cdef int take(self, uint8_t kind, uint32_t timestamp, const uint8_t* body, Py_ssize_t size) except -1:
        self.bytes += <uint64_t>size
        self.messages += 1
        self.heard_ms = self.clock_ms
        if self.on_air:
            return self.writer.take(kind, timestamp, body, size)
        if self.kept is None:
            return 0
        if kind == 22:
            return split_aggregate(self.kept, timestamp, body, size)
        return self.kept.take(kind, timestamp, body, size)

    cdef void begin_read(self, int64_t now_ms) noexcept:
        self.clock_ms = now_ms
        if self.on_air:
            self.writer.now_ms = now_ms

    cdef int end_read(self) except -1:
        cdef uint64_t pictures = self.writer.video_tags if self.on_air else 0
        if self.kept is not None:
            pictures = self.kept.shown
        life_note(&self.life, self.bytes, self.messages, pictures, self.clock_ms, LIFE_BYTES, LIFE_MESSAGES)
        if self.on_air:
            self.writer.flush()
        return 0

    cdef bint is_quiet(self) noexcept:
        """Whether its owner need not be called for each read: it is on air, and players may read."""
        return self.on_air and self.writer.settled

    cdef uint64_t formats_now(self) noexcept:
        return self.writer.formats if self.on_air else 0
