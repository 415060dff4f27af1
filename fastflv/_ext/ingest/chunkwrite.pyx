"""RTMP messages cut into chunks.

Spec: RTMP 1.0, 5.3.1. The first chunk has a type 0 header, the rest have type 3; an extended
timestamp is repeated in each, as 5.3.1.3 asks.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcpy

from fastflv._ext.core.octets cimport store_be24, store_be32, store_le32


cdef Py_ssize_t chunked_size(Py_ssize_t n, Py_ssize_t chunk, bint extended) noexcept nogil:
    cdef Py_ssize_t chunks = 1 if n == 0 else (n + chunk - 1) // chunk
    return 12 + (chunks - 1) + n + (4 * chunks if extended else 0)


cdef void write_chunks(
    uint8_t* out, uint8_t kind, uint32_t timestamp, uint32_t stream_id, uint8_t chunk_stream,
    const uint8_t* p, Py_ssize_t n, Py_ssize_t chunk,
) noexcept nogil:
    cdef bint extended = timestamp >= 0xFFFFFF
    cdef Py_ssize_t take
    out[0] = chunk_stream
    store_be24(out + 1, 0xFFFFFF if extended else timestamp)
    store_be24(out + 4, <uint32_t>n)
    out[7] = kind
    store_le32(out + 8, stream_id)
    out += 12
    if extended:
        store_be32(out, timestamp)
        out += 4
    while True:
        take = min(n, chunk)
        memcpy(out, p, take)
        out += take
        p += take
        n -= take
        if n == 0:
            return
        out[0] = 0xC0 | chunk_stream
        out += 1
        if extended:
            store_be32(out, timestamp)
            out += 4


def write_message(
    uint8_t kind, uint32_t timestamp, uint32_t stream_id, uint8_t chunk_stream, payload, Py_ssize_t chunk_size
):
    """Return *payload* as the chunks of one message.

    *timestamp* is in milliseconds modulo 2**32, *chunk_stream* 2..63, *chunk_size* from 1 bytes.
    """
    cdef Py_buffer view
    if not 2 <= chunk_stream <= 63:
        raise ValueError("chunk stream id outside 2..63")
    if chunk_size < 1:
        raise ValueError("chunk size below 1")
    PyObject_GetBuffer(payload, &view, PyBUF_SIMPLE)
    try:
        if view.len > 0xFFFFFF:
            raise ValueError("message longer than 16777215 bytes")
        wire = PyBytes_FromStringAndSize(NULL, chunked_size(view.len, chunk_size, timestamp >= 0xFFFFFF))
        write_chunks(
            <uint8_t*>PyBytes_AS_STRING(wire), kind, timestamp, stream_id, chunk_stream,
            <const uint8_t*>view.buf, view.len, chunk_size,
        )
        return wire
    finally:
        PyBuffer_Release(&view)
