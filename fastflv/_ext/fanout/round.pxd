"""Passes over the players of a group. See round.pyx."""

from libc.stdint cimport int32_t

from fastflv._ext.fanout.group cimport Group, Slot
from fastflv._ext.fanout.player cimport PlayerState


cdef void begin_pass(Group* g, Slot* slot) noexcept nogil
cdef void begin_passes(Group* g) noexcept nogil
cdef bint is_passing(const Group* g) noexcept nogil
cdef PlayerState* next_player(Group* g) noexcept nogil
cdef void fill_gap(Slot* slot, int32_t gap) noexcept nogil
