"""Passes over the players of a group: each player of a slot is served once.

Passes go by rounds: what is asked for in a round waits for its end, so that each slot has its turn. In a round all
players that have settled are served before those that are new: these have a start that lies before what is sent now,
and a crowd that joins makes nobody else late.
"""

from libc.stdint cimport int32_t

from fastflv._ext.fanout.group cimport PART_FIRST, PART_NEW, PART_WRAPPED, Group, Slot
from fastflv._ext.fanout.player cimport PlayerState


cdef void begin_pass(Group* g, Slot* slot) noexcept nogil:
    """Have all players of a slot served, once more where that goes on."""
    if slot.count and not slot.asked:
        slot.asked = 1
        g.asked += 1


cdef void begin_passes(Group* g) noexcept nogil:
    """Have all players of the group served up to the head that was seen last."""
    cdef int32_t i
    for i in range(g.slot_count):
        begin_pass(g, &g.slots[i])
    g.served = g.seen


cdef bint is_passing(const Group* g) noexcept nogil:
    """Return whether there may be players whose turn is to come."""
    return g.passing > 0 or g.asked > 0


cdef void start_round(Group* g) noexcept nogil:
    """Start the passes that were asked for. Each starts with another player, so that none is always last."""
    cdef int32_t i
    cdef Slot* slot
    for i in range(g.slot_count):
        slot = &g.slots[i]
        if slot.asked:
            slot.asked = 0
            slot.passing = 1
            g.turn = (g.turn + 7) & 0x3FFFFFFF
            slot.start = slot.at = g.turn % slot.settled if slot.settled else 0
            slot.part = PART_FIRST
            slot.seen = g.seen
    g.passing = g.asked
    g.asked = 0


cdef void end_pass(Group* g, Slot* slot) noexcept nogil:
    slot.passing = 0
    slot.served = slot.seen
    slot.start = slot.at = 0
    g.passing -= 1


cdef bint is_settling(Slot* slot) noexcept nogil:
    """Return whether a player that has settled is the next one of a pass; else `at` is the next new one."""
    if slot.part == PART_FIRST and slot.at == slot.settled:
        slot.part = PART_WRAPPED
        slot.at = 0
    if slot.part == PART_WRAPPED and slot.at == slot.start:
        slot.part = PART_NEW
        slot.at = slot.settled
    return slot.part != PART_NEW


cdef PlayerState* take_new(Group* g, Slot* slot) noexcept nogil:
    """Return the next new player of a pass, which from now on has settled if it came long enough ago."""
    cdef PlayerState* p = slot.players[slot.at]
    slot.at += 1
    if p.first_us and g.new_us - p.first_us >= g.settle_us:
        # All new players before it were served in this pass, so it changes places with the first of them.
        slot.players[p.index] = slot.players[slot.settled]
        slot.players[p.index].index = p.index
        slot.players[slot.settled] = p
        p.index = slot.settled
        slot.settled += 1
    return p


cdef PlayerState* next_player(Group* g) noexcept nogil:
    """Return the player whose turn it is in the round of the group; NULL when all were served."""
    cdef int32_t i
    cdef Slot* slot
    if g.passing == 0 and g.asked:
        start_round(g)
    for i in range(g.slot_count if g.passing else 0):
        slot = &g.slots[i]
        if slot.passing and is_settling(slot):
            slot.at += 1
            return slot.players[slot.at - 1]
    for i in range(g.slot_count if g.passing else 0):
        slot = &g.slots[i]
        if slot.passing:
            if slot.at < slot.count:
                return take_new(g, slot)
            end_pass(g, slot)
    return NULL


cdef void fill_gap(Slot* slot, int32_t gap) noexcept nogil:
    """Take the player at *gap* out of a slot.

    A pass parts those that have settled, and those that are new, in who was served and who was not. Each part gives its
    last player to the gap before it, so that all stay in their part.
    """
    cdef int32_t edges[4]
    cdef int32_t low = min(slot.start, slot.at)
    cdef int32_t high = max(slot.start, slot.at)
    cdef int32_t i
    cdef int32_t left = gap
    edges[0], edges[1], edges[2], edges[3] = low, min(high, slot.settled), max(high, slot.settled), slot.count
    for i in range(4):
        if gap < edges[i] - 1:
            slot.players[gap] = slot.players[edges[i] - 1]
            slot.players[gap].index = gap
            gap = edges[i] - 1
    slot.start -= left < slot.start
    slot.at -= left < slot.at
    slot.settled -= left < slot.settled
    slot.count -= 1
