"""When a publisher last showed that it lives: a byte now and then would hold a name for ever. Header only."""

from libc.stdint cimport int64_t, uint64_t


cdef struct Life:
    int64_t shown_ms           # monotonic clock of the last sign, ms
    uint64_t bytes             # of media by then
    uint64_t messages
    uint64_t pictures


cdef inline void life_note(
    Life* life, uint64_t bytes, uint64_t messages, uint64_t pictures, int64_t now_ms, uint64_t enough_bytes,
    uint64_t enough_messages,
) noexcept nogil:
    """Take the *bytes*, *messages* and *pictures* so far; as much as is enough since the last sign is another one.

    Any picture is enough: without motion it is small, and a camera may send one a second.
    """
    if (
        bytes - life.bytes >= enough_bytes or messages - life.messages >= enough_messages
        or pictures != life.pictures
    ):
        life.pictures = pictures
        life.bytes = bytes
        life.messages = messages
        life.shown_ms = now_ms
