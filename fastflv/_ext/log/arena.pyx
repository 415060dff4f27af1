"""Memory that goes back to the system: where pages and large blocks are.

The heap of the C library keeps what is free below anything that is not, so a server stays at its peak: of 300 streams
whose GOPs begin at the same moment it kept the whole of all GOPs, and kept it when they had gone. Here memory is taken
in extents and given out in frames, lowest first. Pages live for a GOP, so the last extents become empty, and go.
"""

from libc.stddef cimport size_t
from libc.stdint cimport int32_t, uint8_t, uint64_t, uintptr_t
from libc.stdlib cimport free, malloc, realloc
from libc.string cimport memmove, memset
from posix.mman cimport MAP_ANONYMOUS, MAP_FAILED, MAP_PRIVATE, PROT_READ, PROT_WRITE, mmap, munmap

from fastflv._ext.core.pthreads cimport (
    pthread_mutex_init, pthread_mutex_lock, pthread_mutex_t, pthread_mutex_unlock,
)

from fastflv import limits

cdef extern from *:
    """
    /* The address sanitizer sees what is touched outside of an allocation of malloc, and nothing within an extent. */
    #ifdef __SANITIZE_ADDRESS__
    #define FF_BY_MALLOC 1
    #else
    #define FF_BY_MALLOC 0
    #endif
    static inline int ff_lowest_bit(uint64_t bits) { return __builtin_ctzll(bits); }
    """
    const bint BY_MALLOC "FF_BY_MALLOC"
    int lowest_bit "ff_lowest_bit"(uint64_t bits) noexcept nogil

cdef extern from "<sys/mman.h>" nogil:
    int madvise(void* start, size_t size, int advice)
    int MADV_HUGEPAGE

cdef enum:
    FRAME = 16384                   # bytes; a page of a camera, so that what one leaves fits the next
    FRAMES = 128                    # of an extent
    WORDS = FRAMES // 64
    EXTENT = FRAME * FRAMES         # bytes, and its alignment: an address tells whose it is. One huge page
    FREE_LEAST = FRAMES // 2        # frames that stay free, so that one page more or less does not map an extent anew
    LARGE = FRAMES // 2 - 1         # above so many frames an allocation is a mapping of its own; two of these fit

cdef int32_t SMALL_EXTENTS = limits.ARENA_SMALL_EXTENTS


cdef struct Extent:
    # It lies in its own first frame, which is never given out.
    uint64_t used[WORDS]            # a bit for each frame: given out
    int32_t used_count
    int32_t longest                 # no run of free frames is longer than this


cdef struct Arena:
    pthread_mutex_t lock            # guards what follows
    Extent** extents                # owned, in the order in which they are filled
    int32_t count
    int32_t room
    int32_t used                    # frames of all extents
    int32_t empty                   # extents of which nothing is given out


cdef Arena arena
memset(&arena, 0, sizeof(Arena))
pthread_mutex_init(&arena.lock, NULL)


cdef inline bint is_used(const Extent* extent, int32_t at) noexcept nogil:
    return <bint>(extent.used[at >> 6] >> (at & 63) & 1)


cdef inline int32_t next_frame(const Extent* extent, bint used, int32_t at) noexcept nogil:
    """Return the first frame from *at* on that is used or is not, FRAMES without one."""
    cdef uint64_t flip = 0 if used else ~<uint64_t>0
    cdef int32_t word = at >> 6
    cdef uint64_t found
    if at >= FRAMES:
        return FRAMES
    found = (extent.used[word] ^ flip) & (~<uint64_t>0 << (at & 63))
    while found == 0:
        word += 1
        if word == WORDS:
            return FRAMES
        found = extent.used[word] ^ flip
    return word * 64 + lowest_bit(found)


cdef int32_t find_run(Extent* extent, int32_t count) noexcept nogil:
    """Return where *count* free frames begin, 0: nowhere."""
    cdef int32_t longest = 0
    cdef int32_t start = next_frame(extent, False, 1)
    cdef int32_t end
    while start < FRAMES:
        end = next_frame(extent, True, start)
        if end - start >= count:
            return start
        longest = max(longest, end - start)
        start = next_frame(extent, False, end)
    extent.longest = longest
    return 0


cdef int32_t run_around(const Extent* extent, int32_t at) noexcept nogil:
    """Return how long the run of free frames is in which *at* lies."""
    cdef int32_t start = at
    while not is_used(extent, start - 1):
        start -= 1
    return next_frame(extent, True, at) - start


cdef Extent* add_extent() noexcept nogil:
    """Return a new extent, the last of the list; NULL without memory."""
    cdef Extent** grown
    cdef uint8_t* mapped
    cdef uint8_t* start
    cdef Extent* extent
    if arena.count == arena.room:
        grown = <Extent**>realloc(arena.extents, (arena.room * 2 + 8) * sizeof(Extent*))
        if grown == NULL:
            return NULL
        arena.extents = grown
        arena.room = arena.room * 2 + 8
    mapped = <uint8_t*>mmap(NULL, 2 * EXTENT, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    if <void*>mapped == MAP_FAILED:
        return NULL
    start = <uint8_t*>((<uintptr_t>mapped + EXTENT - 1) & ~<uintptr_t>(EXTENT - 1))
    if start > mapped:
        munmap(mapped, start - mapped)
    munmap(start + EXTENT, mapped + EXTENT - start)
    if arena.count >= SMALL_EXTENTS:
        madvise(start, EXTENT, MADV_HUGEPAGE)
    extent = <Extent*>start
    extent.used[0] = 1
    extent.longest = FRAMES - 1
    arena.extents[arena.count] = extent
    arena.count += 1
    arena.empty += 1
    return extent


cdef void drop_empty() noexcept nogil:
    """Give an empty extent back to the system, but not the room that the next pages will need."""
    cdef int32_t free_elsewhere = (arena.count - 1) * (FRAMES - 1) - arena.used
    cdef int32_t at = arena.count - 1
    if arena.empty == 0 or free_elsewhere < FREE_LEAST:
        return
    while arena.extents[at].used_count:
        at -= 1
    munmap(arena.extents[at], EXTENT)
    arena.count -= 1
    arena.empty -= 1
    memmove(arena.extents + at, arena.extents + at + 1, (arena.count - at) * sizeof(Extent*))


cdef void* take_frames(int32_t frames) noexcept nogil:
    cdef Extent* extent = NULL
    cdef int32_t i
    cdef int32_t start = 0
    for i in range(arena.count):
        extent = arena.extents[i]
        if extent.longest >= frames:
            start = find_run(extent, frames)
            if start:
                break
    if start == 0:
        extent = add_extent()
        if extent == NULL:
            return NULL
        start = 1
    for i in range(start, start + frames):
        extent.used[i >> 6] |= <uint64_t>1 << (i & 63)
    arena.empty -= extent.used_count == 0
    extent.used_count += frames
    arena.used += frames
    return <uint8_t*>extent + start * FRAME


cdef void give_frames(void* room, int32_t frames) noexcept nogil:
    cdef Extent* extent = <Extent*>(<uintptr_t>room & ~<uintptr_t>(EXTENT - 1))
    cdef int32_t start = <int32_t>((<uintptr_t>room & (EXTENT - 1)) // FRAME)
    cdef int32_t i
    pthread_mutex_lock(&arena.lock)
    for i in range(start, start + frames):
        extent.used[i >> 6] &= ~(<uint64_t>1 << (i & 63))
    extent.longest = max(extent.longest, run_around(extent, start))
    extent.used_count -= frames
    arena.used -= frames
    arena.empty += extent.used_count == 0
    drop_empty()
    pthread_mutex_unlock(&arena.lock)


cdef void* arena_take(size_t size, size_t* whole) noexcept nogil:
    """Return memory for *size* bytes, NULL without any; *whole* becomes what there is, which `arena_give` is told."""
    cdef void* room
    if BY_MALLOC:
        whole[0] = size
        return malloc(size)
    whole[0] = (size + FRAME - 1) // FRAME * FRAME
    if whole[0] > LARGE * FRAME:
        room = mmap(NULL, whole[0], PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        return NULL if room == MAP_FAILED else room
    pthread_mutex_lock(&arena.lock)
    room = take_frames(<int32_t>(whole[0] // FRAME))
    pthread_mutex_unlock(&arena.lock)
    return room


cdef void arena_give(void* room, size_t whole) noexcept nogil:
    """Take back what `arena_take` returned."""
    if BY_MALLOC:
        free(room)
    elif whole > LARGE * FRAME:
        munmap(room, whole)
    else:
        give_frames(room, <int32_t>(whole // FRAME))


def arena_bytes():
    """Return what is given out, and what the extents are that it lies in, bytes."""
    pthread_mutex_lock(&arena.lock)
    found = arena.used * FRAME, arena.count * EXTENT
    pthread_mutex_unlock(&arena.lock)
    return found
