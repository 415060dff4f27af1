"""Framing of what players are sent: HTTP chunks and WebSocket messages. See framing.pyx."""

from libc.stdint cimport int64_t, uint8_t

cdef enum:
    FRAMING_RAW = 0            # bytes as they are; the end of the connection ends them
    FRAMING_CHUNKED = 1        # RFC 9112, 7.1
    FRAMING_WEBSOCKET = 2      # RFC 6455, 5.2: each send is one unmasked binary message

cdef enum:
    FRAME_HEADER_MAX = 20      # longest frame header, bytes: 16 hex digits and CRLF, with the CRLF before it


cdef int write_frame_header(uint8_t* out, uint8_t framing, int64_t size) noexcept nogil
