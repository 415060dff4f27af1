"""A chunk reader as plain values, by which another process goes on within the same chunk."""

from libc.stdint cimport uint8_t
from libc.stdlib cimport malloc
from libc.string cimport memcpy

from fastflv._ext.ingest.chunkread cimport ChunkReader, ChunkStream

from fastflv import limits
from fastflv.errors import HandoverError

cdef enum:
    HEAD_MAX = 18              # longest chunk header, bytes


def reader_state(ChunkReader reader not None):
    """Return the reader as a dict of plain values. It shows no message."""
    cdef ChunkStream* stream
    cdef Py_ssize_t i
    streams = []
    for i in range(reader.stream_count):
        stream = &reader.streams[i]
        streams.append({
            "id": stream.id,
            "timestamp": stream.timestamp,
            "delta": stream.delta,
            "extended": stream.extended,
            "length": stream.length,
            "stream_id": stream.stream_id,
            "kind": stream.kind,
            "has_extended": bool(stream.has_extended),
            "open": bool(stream.open),
            "body": stream.body[:stream.got] if stream.got else b"",
        })
    return {
        "streams": streams,
        "chunk_size": reader.chunk_size,
        "received": reader.received,
        "dropped": reader.dropped,
        "ignored": reader.ignored,
        "current": reader.current,
        "chunk_left": reader.chunk_left,
        "head": reader.head[:reader.head_size],
    }


def restore_reader(ChunkReader reader not None, dict state not None):
    """Have a new reader go on as `reader_state` says.

    Raises HandoverError, and what a conversion of a wrong value raises: the reader is of no use then.
    """
    cdef bytes head = state["head"]
    cdef bytes body
    cdef ChunkStream* stream
    cdef Py_ssize_t current = state["current"]
    if reader.stream_count or len(head) > HEAD_MAX or len(state["streams"]) > reader.max_streams:
        raise HandoverError("a chunk reader has too many chunk streams, or too long a header")
    for row in state["streams"]:
        body = row["body"]
        stream = &reader.streams[reader.add_stream(row["id"])]
        stream.timestamp = row["timestamp"]
        stream.delta = row["delta"]
        stream.extended = row["extended"]
        stream.length = row["length"]
        stream.stream_id = row["stream_id"]
        stream.kind = row["kind"]
        stream.has_extended = row["has_extended"]
        stream.open = row["open"]
        reader.partial += len(body)
        if <Py_ssize_t>stream.length > reader.max_message or reader.partial > reader.max_partial or (
            len(body) and len(body) >= <Py_ssize_t>stream.length
        ) or (len(body) and not stream.open):
            raise HandoverError("the messages of a chunk reader are too long")
        if body:
            stream.body = <uint8_t*>malloc(len(body))
            if stream.body == NULL:
                raise MemoryError
            memcpy(stream.body, <const char*>body, len(body))
            stream.room = stream.got = len(body)
    reader.chunk_size = state["chunk_size"]
    reader.received = state["received"]
    reader.dropped = state["dropped"]
    reader.ignored = state["ignored"]
    reader.chunk_left = state["chunk_left"]
    memcpy(reader.head, <const char*>head, len(head))
    reader.head_size = len(head)
    if not -1 <= current < reader.stream_count or not 1 <= reader.chunk_size <= limits.CHUNK_BYTES_IN_MAX:
        raise HandoverError("the chunk of a chunk reader is wrong")
    if current >= 0:
        stream = &reader.streams[current]
        if not 0 < <Py_ssize_t>reader.chunk_left <= <Py_ssize_t>stream.length - stream.got:
            raise HandoverError("the chunk of a chunk reader is longer than its message")
    reader.current = current
