"""Passes over the players of a group: each player of a slot is served once.

Passes go by rounds: each slot that is asked for has its turn. In a round, players that have settled go before those
that are new. A new one has a start that lies before what is sent now, so a crowd that joins makes nobody else late.

A picture that comes within a round waits until those that have settled were served. Then the round begins anew, before
the new ones that are left. It does so once; after that they go first.
"""

from libc.stdint cimport int32_t, uint32_t

from fastflv._ext.fanout.group cimport PASS_FIRST, PASS_NEW, PASS_WRAPPED, Group, Slot
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


cdef inline int32_t some_place(uint32_t turn, int32_t count) noexcept nogil:
    """Return a place below *count*, another one in each turn (Knuth's multiplicative hash)."""
    return <int32_t>(((turn * <uint32_t>2654435761) >> 8) % <uint32_t>count) if count else 0


cdef void start_round(Group* g) noexcept nogil:
    """Start the passes that were asked for, anew where one goes on.

    Each starts with another player that has settled, so that none of them is always last.
    """
    cdef int32_t i
    cdef Slot* slot
    for i in range(g.slot_count):
        slot = &g.slots[i]
        if slot.asked:
            slot.asked = 0
            g.passing += not slot.passing
            slot.passing = 1
            g.turn += 1
            slot.start = slot.at = some_place(g.turn, slot.settled)
            slot.part = PASS_FIRST
            slot.seen = g.seen
    g.asked = 0


cdef void end_pass(Group* g, Slot* slot) noexcept nogil:
    slot.passing = 0
    slot.served = slot.seen
    slot.start = slot.at = 0
    g.passing -= 1


cdef bint is_settling(Slot* slot) noexcept nogil:
    """Return whether a player that has settled is the next one of a pass; else `at` is the next new one."""
    if slot.part == PASS_FIRST and slot.at == slot.settled:
        slot.part = PASS_WRAPPED
        slot.at = 0
    if slot.part == PASS_WRAPPED and slot.at == slot.start:
        slot.part = PASS_NEW
        slot.at = slot.settled
        slot.last = slot.count
    return slot.part != PASS_NEW


cdef PlayerState* next_settled(Group* g) noexcept nogil:
    """Return the next player that has settled; NULL when all of them were served."""
    cdef int32_t i
    cdef Slot* slot
    for i in range(g.slot_count):
        slot = &g.slots[i]
        if slot.passing and is_settling(slot):
            slot.at += 1
            return slot.players[slot.at - 1]
    return NULL


cdef PlayerState* next_new(Group* g) noexcept nogil:
    """Return the next new player, and end the passes that have served all; NULL when all have."""
    cdef int32_t i
    cdef Slot* slot
    for i in range(g.slot_count):
        slot = &g.slots[i]
        if slot.passing:
            if slot.at < slot.last:
                return take_new(g, slot)
            end_pass(g, slot)
    return NULL


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
    cdef PlayerState* p
    if g.passing == 0:
        if g.asked == 0:
            return NULL
        g.cut = False
        start_round(g)
    p = next_settled(g)
    if p == NULL and g.asked and not g.cut:
        g.cut = True
        start_round(g)
        p = next_settled(g)
    return p if p != NULL else next_new(g)


cdef void fill_gap(Slot* slot, int32_t gap) noexcept nogil:
    """Take the player at *gap* out of a slot.

    A pass parts those that have settled, and those that are new, in who was served and who was not. Each part gives its
    last player to the gap before it, so that all stay in their part.
    """
    cdef int32_t edges[5]
    cdef int32_t low = min(slot.start, slot.at)
    cdef int32_t high = max(slot.start, slot.at)
    cdef int32_t left = gap
    cdef int32_t i
    edges[0], edges[1], edges[2] = low, min(high, slot.settled), max(high, slot.settled)
    edges[3] = slot.last if slot.passing and slot.part == PASS_NEW else slot.count
    edges[4] = slot.count
    for i in range(5):
        if gap < edges[i] - 1:
            slot.players[gap] = slot.players[edges[i] - 1]
            slot.players[gap].index = gap
            gap = edges[i] - 1
    slot.start -= left < slot.start
    slot.at -= left < slot.at
    slot.settled -= left < slot.settled
    slot.last -= left < slot.last
    slot.count -= 1
