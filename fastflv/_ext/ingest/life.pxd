"""When a publisher last showed that it lives: a byte now and then would hold a name for ever. Header only."""

from libc.stdint cimport int64_t, uint64_t


cdef struct Life:
    int64_t shown_ms           # monotonic clock of the last sign, ms
    uint64_t bytes             # of media by then
    uint64_t messages


cdef inline void life_note(
    Life* life, uint64_t bytes, uint64_t messages, int64_t now_ms, uint64_t enough_bytes, uint64_t enough_messages
) noexcept nogil:
    """Take the *bytes* and *messages* of media so far; as much as is enough since the last sign is another one."""
    if bytes - life.bytes >= enough_bytes or messages - life.messages >= enough_messages:
        life.bytes = bytes
        life.messages = messages
        life.shown_ms = now_ms
