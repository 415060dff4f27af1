"""RTMP messages cut into chunks. See chunkwrite.pyx."""

from libc.stdint cimport uint8_t, uint32_t

cdef Py_ssize_t chunked_size(Py_ssize_t n, Py_ssize_t chunk, bint extended) noexcept nogil
# out: room for chunked_size(n, chunk, timestamp >= 0xFFFFFF) bytes. chunk: from 1.
cdef void write_chunks(
    uint8_t* out, uint8_t kind, uint32_t timestamp, uint32_t stream_id, uint8_t chunk_stream,
    const uint8_t* p, Py_ssize_t n, Py_ssize_t chunk,
) noexcept nogil
