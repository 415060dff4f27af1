"""What a thread does with one of its players. See serve.pyx."""

from libc.stdint cimport int64_t, uint8_t

from fastflv._ext.fanout.group cimport Group
from fastflv._ext.fanout.player cimport PlayerState
from fastflv._ext.fanout.thread cimport Thread


cdef void mark_leaving(Thread* t, PlayerState* p, uint8_t why) noexcept nogil
cdef void serve(Thread* t, Group* g, PlayerState* p, int64_t head) noexcept nogil
cdef void unblock(Thread* t, PlayerState* p) noexcept nogil
cdef void look_at_blocked(Thread* t, int64_t now) noexcept nogil
