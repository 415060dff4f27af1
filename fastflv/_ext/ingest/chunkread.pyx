"""RTMP chunk reassembly.

A media message that lies whole in the block given to `feed` is handed to the sink straight from
there; only one that spans reads or chunks is copied once, into the buffer of its chunk stream.

Spec: RTMP 1.0, 5.3.1 (chunk format) and 5.4 (protocol control messages 1 and 2, obeyed here).
"""

cimport cython
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport uint8_t, uint32_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy, memmove, memset

from fastflv._ext.core.octets cimport load_be24, load_be32, load_le32
from fastflv._ext.ingest.sink cimport MediaSink

from fastflv import limits
from fastflv.errors import ChunkError, ChunkStreamsError, MessageSizeError

cdef enum:
    SET_CHUNK_SIZE = 1
    ABORT = 2
    USER_CONTROL = 4
    WINDOW_SIZE = 5
    AUDIO = 8
    VIDEO = 9
    DATA_AMF3 = 15
    COMMAND_AMF3 = 17
    DATA_AMF0 = 18
    COMMAND_AMF0 = 20
    AGGREGATE = 22
    EXTENDED = 0xFFFFFF

cdef uint32_t CHUNK_BYTES_MAX = limits.CHUNK_BYTES_IN_MAX
cdef uint32_t ABSOLUTE_STEP_MS = limits.EXTENDED_STEP_MS
cdef Py_ssize_t BODY_KEEP = limits.CHUNK_BODY_KEEP_BYTES
cdef Py_ssize_t BODY_FIRST = limits.CHUNK_BODY_FIRST_BYTES


@cython.final
cdef class Route:
    pass


@cython.final
cdef class ChunkReader:
    """Put chunks together to messages. One reader belongs to one connection and one thread.

    Media messages (types 8, 9, 22) go to the sink of their message stream (`set_sink`); those of a stream
    without a sink are dropped and counted. Types 1 (chunk size) and 2 (abort) are obeyed. Commands, data, user
    control and windows (types 4, 5, 15, 17, 18, 20) are shown in `message`, one at a time. Others, and empty
    ones, are counted: they cost a peer one byte each.

    Memory: bodies grow with the bytes that arrive, never with the bytes announced, and stay below
    `max_partial` in total. While no message stream is known by `show` or `set_sink` they stay below `max_commands`.
    """

    def __cinit__(
        self,
        Py_ssize_t max_message=limits.MESSAGE_BYTES_MAX,
        Py_ssize_t max_streams=limits.CHUNK_STREAMS_MAX,
        Py_ssize_t max_partial=limits.PARTIAL_BYTES_MAX,
        Py_ssize_t max_commands=limits.PARTIAL_COMMAND_BYTES_MAX,
    ):
        self.chunk_size = 128
        self.routes = []
        self.current = -1
        self.max_message = max_message
        self.max_streams = max_streams
        self.max_partial = max_partial
        self.max_commands = max_commands

    def __dealloc__(self):
        cdef Py_ssize_t i
        for i in range(self.stream_count):
            free(self.streams[i].body)
        free(self.streams)

    def set_sink(self, uint32_t stream_id, MediaSink sink):
        """Send media of message stream *stream_id* to *sink*; None drops it again and forgets its byte count."""
        cdef Route route = self.route_of(stream_id)
        if sink is not None:
            (self.add_route(stream_id) if route is None else route).sink = sink
        elif route is not None:
            self.routes.remove(route)
            self.last = None

    def show(self, uint32_t stream_id):
        """Show media of message stream *stream_id* in `message`, as commands are, until it gets a sink."""
        if self.route_of(stream_id) is None:
            self.add_route(stream_id)

    def deliver(self, uint8_t kind, uint32_t timestamp, uint32_t stream_id, const uint8_t[::1] body):
        """Hand a media message that was shown to the sink that its message stream has now."""
        cdef Route route = self.route_of(stream_id)
        if route is None or route.sink is None:
            self.dropped += 1
        else:
            route.sink.take(kind, timestamp, &body[0] if body.shape[0] else NULL, body.shape[0])

    cdef Route route_of(self, uint32_t stream_id):
        cdef Route route
        for route in self.routes:
            if route.stream_id == stream_id:
                self.last = route
                return route
        return None

    cdef Route add_route(self, uint32_t stream_id):
        cdef Route route = Route()
        route.stream_id = stream_id
        self.routes.append(route)
        return route

    @property
    def inside(self):
        """Whether the bytes so far end within a message."""
        return self.is_inside()

    cdef bint is_inside(self) noexcept:
        cdef Py_ssize_t i
        if self.head_size > 0 or self.current >= 0:
            return True
        for i in range(self.stream_count):
            if self.streams[i].got > 0:
                return True
        return False

    def feed(self, block, Py_ssize_t start=0):
        """Take bytes of *block* from *start*; return the offset of the first byte not used.

        Stops behind the first message that is for `message` (and is there then), or at the end of the
        block (`message` is None). Raises ChunkError, MessageSizeError or ChunkStreamsError; the
        reader must not be fed again after that.
        """
        cdef Py_buffer view
        PyObject_GetBuffer(block, &view, PyBUF_SIMPLE)
        try:
            if start < 0 or start > view.len:
                raise ValueError("start lies outside the block")
            return self.take(<const uint8_t*>view.buf, view.len, start)
        finally:
            PyBuffer_Release(&view)

    cdef Py_ssize_t take(self, const uint8_t* p, Py_ssize_t n, Py_ssize_t start) except -1:
        """`feed` for *n* bytes at *p*, which are borrowed for this call."""
        cdef Py_ssize_t at = start
        cdef Py_ssize_t used, part
        cdef ChunkStream* stream
        self.message = None
        while self.message is None:
            if self.current < 0:
                if self.head_size == 0:
                    if at == n:
                        break
                    used = self.read_header(p + at, n - at)
                    if used == 0:
                        memcpy(self.head, p + at, n - at)
                        self.head_size = n - at
                        at = n
                        break
                    at += used
                else:
                    # A header cut by a read is finished a byte at a time: it is at most 18 bytes long.
                    used = self.read_header(self.head, self.head_size)
                    if used == 0:
                        if at == n:
                            break
                        self.head[self.head_size] = p[at]
                        self.head_size += 1
                        at += 1
                        continue
                    # Bytes looked at for an extended timestamp that was not there are payload.
                    self.head_size -= used
                    memmove(self.head, self.head + used, self.head_size)
                if self.streams[self.current].length == 0:
                    stream = &self.streams[self.current]
                    self.current = -1
                    self.finish(stream, NULL)
                    continue
            stream = &self.streams[self.current]
            part = min(self.head_size if self.head_size else n - at, <Py_ssize_t>self.chunk_left)
            if part == 0:
                break
            if self.head_size:
                self.keep(stream, self.head, part)
                self.head_size -= part
                memmove(self.head, self.head + part, self.head_size)
            elif stream.got == 0 and part == <Py_ssize_t>stream.length:
                self.current = -1
                self.finish(stream, p + at)
                at += part
                continue
            else:
                self.keep(stream, p + at, part)
                at += part
            self.chunk_left -= <uint32_t>part
            if stream.got == <Py_ssize_t>stream.length:
                self.current = -1
                self.finish(stream, stream.body)
                self.release(stream)
            elif self.chunk_left == 0:
                self.current = -1
        self.received += <uint64_t>(at - start)
        return at

    cdef Py_ssize_t read_header(self, const uint8_t* p, Py_ssize_t n) except -1:
        """Read one chunk header; return its size in bytes, or 0 when more bytes are needed.

        On success `current` and `chunk_left` say whose body follows.
        """
        cdef int fmt = p[0] >> 6
        cdef uint32_t id = p[0] & 0x3F
        cdef Py_ssize_t at = 1
        cdef Py_ssize_t i
        cdef uint32_t step, length, extended
        cdef bint has_extended
        cdef ChunkStream* stream
        if id == 0:
            if n < 2:
                return 0
            id = 64 + p[1]
            at = 2
        elif id == 1:
            if n < 3:
                return 0
            id = 64 + p[1] + (<uint32_t>p[2] << 8)
            at = 3
        i = self.find(id)
        if fmt == 3:
            if i < 0:
                raise ChunkError(f"type 3 header on chunk stream {id}, which has no message yet")
            stream = &self.streams[i]
            extended = 0
            if stream.has_extended:
                if n < at + 4:
                    return 0
                extended = load_be32(p + at)
                # Some encoders leave the field out of type 3 headers: then these bytes are payload.
                if extended == stream.extended:
                    at += 4
            if not stream.open:
                stream.timestamp += stream.delta
                stream.open = True
                stream.got = 0
        else:
            if n < at + (11 if fmt == 0 else 7 if fmt == 1 else 3):
                return 0
            step = load_be24(p + at)
            has_extended = step == EXTENDED
            if has_extended:
                if n < at + (11 if fmt == 0 else 7 if fmt == 1 else 3) + 4:
                    return 0
                step = load_be32(p + at + (11 if fmt == 0 else 7 if fmt == 1 else 3))
            if i < 0:
                # librtmp opens its ping with a type 1 header on a fresh chunk stream; type 2 cannot: it has no length.
                if fmt == 2:
                    raise ChunkError(f"type 2 header on chunk stream {id}, which has no message yet")
                if self.stream_count == self.max_streams:
                    raise ChunkStreamsError(f"more than {self.max_streams} chunk streams")
                i = self.add_stream(id)
            stream = &self.streams[i]
            if stream.open and fmt == 0:
                raise ChunkError(f"type 0 header in the middle of a message on chunk stream {id}")
            if fmt < 2:
                length = load_be24(p + at + 3)
                if stream.open and length != stream.length:
                    raise ChunkError(f"message length changed from {stream.length} to {length} in its middle")
                if <Py_ssize_t>length > self.max_message:
                    raise MessageSizeError(f"message of {length} bytes; {self.max_message} are taken")
                stream.length = length
                stream.kind = p[at + 6]
            if not stream.open:
                if fmt == 0:
                    stream.stream_id = load_le32(p + at + 7)
                    stream.timestamp = step
                    stream.delta = step
                elif has_extended and <uint32_t>(step - stream.timestamp) < ABSOLUTE_STEP_MS:
                    # Some encoders put the absolute time into the extended field of a type 1 or 2 header. A true
                    # step over 0xFFFFFF ms (4.6 h) that lands within minutes of the clock is not one.
                    stream.delta = step - stream.timestamp
                    stream.timestamp = step
                else:
                    stream.delta = step
                    stream.timestamp += step
                stream.open = True
                stream.got = 0
            stream.has_extended = has_extended
            stream.extended = step if has_extended else 0
            at += 11 if fmt == 0 else 7 if fmt == 1 else 3
            if has_extended:
                at += 4
        self.current = i
        self.chunk_left = min(self.chunk_size, <uint32_t>(stream.length - stream.got))
        return at

    cdef Py_ssize_t find(self, uint32_t chunk_stream) noexcept:
        cdef Py_ssize_t i
        for i in range(self.stream_count):
            if self.streams[i].id == chunk_stream:
                return i
        return -1

    cdef Py_ssize_t add_stream(self, uint32_t chunk_stream) except -1:
        cdef ChunkStream* grown
        cdef Py_ssize_t room
        if self.stream_count == self.stream_room:
            # Encoders use three to five for as long as they publish.
            room = self.stream_room + 2
            grown = <ChunkStream*>realloc(self.streams, room * sizeof(ChunkStream))
            if grown == NULL:
                raise MemoryError
            self.streams = grown
            self.stream_room = room
        memset(&self.streams[self.stream_count], 0, sizeof(ChunkStream))
        self.streams[self.stream_count].id = chunk_stream
        self.stream_count += 1
        return self.stream_count - 1

    cdef int keep(self, ChunkStream* stream, const uint8_t* p, Py_ssize_t n) except -1:
        """Copy a part of a message behind what is there of it."""
        cdef Py_ssize_t need = stream.got + n
        cdef Py_ssize_t room
        cdef Py_ssize_t most
        cdef uint8_t* grown
        if need > stream.room:
            room = min(max(BODY_FIRST, need * 2), <Py_ssize_t>stream.length)
            most = self.max_partial if self.routes else min(self.max_partial, self.max_commands)
            if self.partial + room - stream.room > most:
                raise MessageSizeError(f"over {most} bytes of unfinished messages")
            grown = <uint8_t*>realloc(stream.body, room)
            if grown == NULL:
                raise MemoryError
            self.partial += room - stream.room
            stream.body = grown
            stream.room = room
        memcpy(stream.body + stream.got, p, n)
        stream.got = need
        return 0

    cdef int finish(self, ChunkStream* stream, const uint8_t* body) except -1:
        """Hand a whole message on. *body* is borrowed: from the block, or from the chunk stream."""
        cdef uint32_t n = stream.length
        cdef uint32_t value
        cdef Py_ssize_t i
        cdef Route route = self.last
        stream.open = False
        stream.got = 0
        if route is None or route.stream_id != stream.stream_id:
            route = self.route_of(stream.stream_id)
        if stream.kind == AUDIO or stream.kind == VIDEO or stream.kind == AGGREGATE:
            if route is None:
                self.dropped += 1
            elif route.sink is None:
                self.message = (stream.kind, stream.timestamp, stream.stream_id, stream.id, body[:n])
            else:
                return route.sink.take(stream.kind, stream.timestamp, body, n)
            return 0
        if stream.kind == SET_CHUNK_SIZE:
            if n < 4:
                raise ChunkError("chunk size message shorter than 4 bytes")
            value = load_be32(body) & 0x7FFFFFFF
            if value == 0:
                raise ChunkError("chunk size 0")
            self.chunk_size = min(value, CHUNK_BYTES_MAX)
            return 0
        if stream.kind == ABORT:
            if n < 4:
                raise ChunkError("abort message shorter than 4 bytes")
            i = self.find(load_be32(body))
            if i >= 0:
                self.streams[i].open = False
                self.streams[i].got = 0
                self.release(&self.streams[i])
            return 0
        if n and (
            stream.kind == COMMAND_AMF0 or stream.kind == DATA_AMF0 or stream.kind == USER_CONTROL
            or stream.kind == WINDOW_SIZE or stream.kind == COMMAND_AMF3 or stream.kind == DATA_AMF3
        ):
            self.message = (stream.kind, stream.timestamp, stream.stream_id, stream.id, body[:n])
        else:
            self.ignored += 1
        return 0

    cdef void release(self, ChunkStream* stream) noexcept:
        """Give a large body back; a small one is kept for the next message."""
        if stream.room > BODY_KEEP:
            self.partial -= stream.room
            free(stream.body)
            stream.body = NULL
            stream.room = 0
