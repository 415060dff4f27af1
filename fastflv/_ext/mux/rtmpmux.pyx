"""FLV tags as RTMP chunks: one log for all RTMP players of a stream, and one for all servers that it is forwarded to.

Each message begins with a type 0 header, so that a reader can start at any of them.

Spec: RTMP 1.0, 5.3.1, 7.1.3.
"""

cimport cython
from libc.stdint cimport int64_t, uint8_t, uint32_t

from fastflv._ext.ingest.chunkwrite cimport chunked_size, write_chunks
from fastflv._ext.log.block cimport block_new
from fastflv._ext.log.keyheaders cimport set_key_headers
from fastflv._ext.log.log cimport log_commit, log_mark_key, log_reserve, told_ms
from fastflv._ext.log.medialog cimport MediaLog
from fastflv._ext.mux.remux cimport Remux
from fastflv._ext.syntax.flvtag cimport (
    COMMAND, CONFIG, KEY, NOTES, TAG_AUDIO, TAG_SCRIPT, TAG_VIDEO, FlvTag, TagTraits, next_tag, read_traits, tag_time,
)

from fastflv._ext.ingest.chunkwrite import write_message

cdef enum:                     # chunk streams, as servers in the field use them
    AUDIO_CHUNKS = 4
    DATA_CHUNKS = 5
    VIDEO_CHUNKS = 6


cdef bytes SET_DATA_FRAME = b"\x02\x00\x0d@setDataFrame"
cdef bytes METADATA = b"\x02\x00\x0aonMetaData"


cdef inline uint8_t chunk_stream_of(uint8_t kind) noexcept nogil:
    return AUDIO_CHUNKS if kind == TAG_AUDIO else VIDEO_CHUNKS if kind == TAG_VIDEO else DATA_CHUNKS


@cython.final
cdef class RtmpMux(Remux):
    """RTMP chunks of *chunk_size* bytes, as announced to the readers, on the message stream *stream_id*.

    *publishes*: the readers are servers, which are told to keep the metadata (`@setDataFrame`).
    """

    cdef readonly uint32_t chunk_size
    cdef readonly uint32_t stream_id
    cdef readonly bint publishes

    def __init__(
        self, MediaLog source not None, MediaLog log not None, uint32_t chunk_size, uint32_t stream_id,
        bint publishes=False,
    ):
        Remux.__init__(self, source, log)
        self.tells_time = True
        if chunk_size < 1:
            raise ValueError("chunk size below 1")
        self.chunk_size = chunk_size
        self.stream_id = stream_id
        self.publishes = publishes

    def headers(self, bytes tags not None):
        """Return whole FLV *tags*, with times near the head, as chunks."""
        return self.headers_at(tags, self.source.log.head_dts)

    cdef bytes headers_at(self, bytes tags, int64_t dts_ms):
        """Return *tags* as chunks. *dts_ms*: a stream time near theirs, for the top bit that FLV tags lack."""
        cdef const uint8_t* p = tags
        cdef Py_ssize_t at = 0
        cdef uint32_t time
        cdef int64_t near = dts_ms - self.source.log.epoch_ms
        cdef FlvTag tag
        parts = []
        while next_tag(p, len(tags), &at, &tag):
            time = 0 if tag.kind == TAG_SCRIPT else <uint32_t>(tag_time(tag.timestamp, near) & 0xFFFFFFFF)
            body = tag.body[:tag.size]
            if self.publishes and tag.kind == TAG_SCRIPT and body.startswith(METADATA):
                body = SET_DATA_FRAME + body
            parts.append(write_message(
                tag.kind, time, self.stream_id, chunk_stream_of(tag.kind), body, self.chunk_size,
            ))
        return b"".join(parts)

    cdef int rekey(self) except -1:
        return set_key_headers(self.log, self.headers_at(self.source.key_headers, self.log.key_dts))

    cdef int take_tag(self, uint8_t kind, uint8_t flags, int64_t dts_ms, const uint8_t* body, uint32_t size) except -1:
        # RTMP has 32 bits of time, FLV tags 31: the times of the log's index are used.
        cdef int64_t told = told_ms(self.log.log, dts_ms)
        cdef uint32_t time = 0 if kind == TAG_SCRIPT and flags & NOTES else <uint32_t>(told & 0xFFFFFFFF)
        cdef Py_ssize_t whole
        cdef uint8_t* out
        cdef int64_t at
        cdef TagTraits traits
        if kind != TAG_AUDIO and kind != TAG_VIDEO and kind != TAG_SCRIPT:
            self.skipped += 1
            return 0
        if self.publishes and kind == TAG_SCRIPT and flags & NOTES:
            order = SET_DATA_FRAME + body[:size]
            body, size = <const uint8_t*><const char*>order, <uint32_t>len(order)
        whole = chunked_size(size, self.chunk_size, time >= 0xFFFFFF)
        out = log_reserve(self.log.log, <uint32_t>whole)
        if out == NULL:
            raise MemoryError
        at = self.log.log.written
        write_chunks(out, kind, time, self.stream_id, chunk_stream_of(kind), body, size, self.chunk_size)
        log_commit(self.log.log, <uint32_t>whole, dts_ms, kind, flags)
        self.written = True
        if kind == TAG_VIDEO and flags & KEY and not flags & (CONFIG | COMMAND) and self.is_start(size):
            traits = read_traits(kind, body, size)
            if traits.track == 0:
                headers = self.headers_at(self.source.key_headers, dts_ms)
                log_mark_key(self.log.log, at, block_new(<const uint8_t*><const char*>headers, <uint32_t>len(headers)))
        return 0
